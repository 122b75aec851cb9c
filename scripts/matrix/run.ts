import type { Place } from './cell.ts'
import { runEvicted } from './evicted.ts'
import { type Outcome, PAIRS, pairText } from './report.ts'
import { runCell } from './run-cell.ts'
import { TOPICS, type Topic } from './topics/index.ts'
import { startWorld, type World } from './world.ts'

export interface MatrixOptions {
  /** One topic instead of all. */
  readonly only?: string | undefined
  /** Where the clients connect; each place is a table of 44 cells. */
  readonly places: readonly Place[]
  /** Whether parked calls lose the object that holds them, as well. */
  readonly evicted: boolean
  /** Whether clients also take their time before they answer: some minutes in all. */
  readonly parked: boolean
  readonly say: (text: string) => void
}

const TITLES: Readonly<Record<Place, string>> = {
  single: '/{server}/mcp',
  mixed: '/mcp',
}

/** Longer than an idle object lives, and than proxies keep a silent connection. */
const PARKED_MS = 60_000

/** Every topic between every pair of eras, through the built gateway on a bare workerd. */
export async function runMatrix(options: MatrixOptions): Promise<Outcome[]> {
  const { only, places, say } = options
  const topics = TOPICS.filter(({ name }) => only === undefined || name === only)
  const world = await startWorld(say)
  try {
    const outcomes: Outcome[] = []
    for (const place of places) outcomes.push(...(await runPlace(world, place, topics, say)))
    if (options.parked) {
      say(`parked calls, for ${PARKED_MS} ms`)
      outcomes.push(...(await runParked(world, topics)))
    }
    if (options.evicted) {
      say('parked calls whose object is evicted')
      outcomes.push(...(await runEvicted(world, only)))
    }
    return outcomes
  } finally {
    await world.stop()
  }
}

/** One after the other, for a change of a list is heard by all who listen. */
async function runPlace(
  world: World,
  place: Place,
  topics: readonly Topic[],
  say: MatrixOptions['say'],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const topic of topics) {
    for (const pair of PAIRS) {
      say(`${TITLES[place]}: ${topic.name}, ${pairText(pair)}`)
      outcomes.push(await runCell(world, topic, pair, TITLES[place], { place }))
    }
  }
  return outcomes
}

/** All at once: what they wait for is time. */
function runParked(world: World, topics: readonly Topic[]): Promise<Outcome[]> {
  const options = { place: 'single', thinkMs: PARKED_MS } as const
  const table = `after ${PARKED_MS / 1000} s`
  return Promise.all(
    topics
      .filter(({ isParked }) => isParked)
      .flatMap((topic) => PAIRS.map((pair) => runCell(world, topic, pair, table, options))),
  )
}
