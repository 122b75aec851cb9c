import type { Place } from './cell.ts'
import { type Outcome, PAIRS, pairText } from './report.ts'
import { runCell } from './run-cell.ts'
import { TOPICS } from './topics/index.ts'
import { startWorld, type World } from './world.ts'

export interface MatrixOptions {
  /** One topic instead of all. */
  readonly only?: string | undefined
  /** Where the clients connect; each place is a table. */
  readonly places: readonly Place[]
  readonly say: (text: string) => void
}

const TITLES: Readonly<Record<Place, string>> = {
  single: '/{server}/mcp',
  mixed: '/mcp',
}

/**
 * Every topic between every pair of eras, through the built gateway on a bare workerd: 44 cells a
 * place. One after the other, for a change of a list is heard by all who listen.
 */
export async function runMatrix(options: MatrixOptions): Promise<Outcome[]> {
  const world = await startWorld(options.say)
  try {
    const outcomes: Outcome[] = []
    for (const place of options.places) outcomes.push(...(await runPlace(world, place, options)))
    return outcomes
  } finally {
    await world.stop()
  }
}

async function runPlace(
  world: World,
  place: Place,
  { only, say }: MatrixOptions,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const topic of TOPICS.filter(({ name }) => only === undefined || name === only)) {
    for (const pair of PAIRS) {
      say(`${TITLES[place]}: ${topic.name}, ${pairText(pair)}`)
      outcomes.push(await runCell(world, topic, pair, TITLES[place], { place }))
    }
  }
  return outcomes
}
