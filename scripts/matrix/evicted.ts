import { type Cell, call, clientCalls, isMirrored, nonceOf, upstreamCalls } from './cell.ts'
import { type Outcome, PAIRS, type Pair } from './report.ts'
import { outcomeOf } from './run-cell.ts'
import { standUp } from './stand.ts'
import { holds, same, until } from './wire/expect.ts'
import { digObject } from './wire/json.ts'
import type { World } from './world.ts'

/** A tool that asks, by the topic it belongs to. */
const ASKING: Readonly<Record<string, string>> = {
  'elicitation-form': 'ask_form',
  'elicitation-url': 'ask_link',
  sampling: 'ask_model',
  roots: 'ask_roots',
}

const TABLE = 'evicted while parked'
/** Of a call whose stream broke: the legacy client has no other end for it. */
const TIMEOUT_MS = 4_000
const DEADLINE_MS = 30_000

/** A bridged call in the middle of its question. */
interface Parked {
  readonly topic: string
  readonly pair: Pair
  readonly cell: Cell
  readonly outcome: Promise<'answered' | 'failed'>
}

/**
 * Parks a call of every kind in every bridge, takes the objects away under them (the process is
 * killed and started again on the same storage), and lets the clients answer: they get a clean
 * error, the tool has begun once and begins no second time, and the client goes on as before.
 */
export async function runEvicted(world: World, only: string | undefined): Promise<Outcome[]> {
  let answer: () => void = () => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  const rows = Object.entries(ASKING).filter(([topic]) => only === undefined || topic === only)
  const wanted = rows.flatMap(([topic, tool]) =>
    PAIRS.filter(isBridged).map((pair) => ({ topic, tool, pair })),
  )
  const parked = await Promise.all(
    wanted.map(async ({ topic, tool, pair }) => {
      const what = { topic, pair, table: TABLE }
      const found: Parked[] = []
      const outcome = await outcomeOf(what, DEADLINE_MS, async () => {
        found.push(await park(world, topic, tool, pair, answered))
      })
      return { outcome, found }
    }),
  )
  await world.gateway.worker.restart({ hard: true })
  answer()
  return Promise.all(
    parked.map(({ outcome, found: [call] }) =>
      call === undefined
        ? outcome
        : outcomeOf({ topic: call.topic, pair: call.pair, table: TABLE }, DEADLINE_MS, () =>
            checkAfterwards(call),
          ),
    ),
  )
}

function isBridged({ client, upstream }: Pair): boolean {
  return !isMirrored({ clientEra: client, upstreamEra: upstream })
}

async function park(
  world: World,
  topic: string,
  tool: string,
  pair: Pair,
  answered: Promise<void>,
): Promise<Parked> {
  const options = { place: 'single', think: () => answered, timeoutMs: TIMEOUT_MS } as const
  const cell = await standUp(world, pair, options)
  const outcome = call(cell, tool).then(
    () => 'answered' as const,
    () => 'failed' as const,
  )
  await until('the question at the client', () => cell.client.asked.length === 1)
  return { topic, pair, cell, outcome }
}

async function checkAfterwards({ cell, outcome }: Parked): Promise<void> {
  const { client, clientEra, upstream } = cell
  try {
    same('the outcome of the call', await outcome, 'failed')
    if (clientEra === 'modern') checkRetry(cell)
    else await checkAnswer(cell)
    same('how often the tool began', upstream.stage.starts(nonceOf(cell)), 1)
    same('how often the tool ended', upstream.stage.ends(nonceOf(cell)), 0)
    same('calls at the upstream', upstreamCalls(cell).length, 1)
    await call(cell, 'echo', {}, { part: 'after' })
    same('calls afterwards', upstreamCalls(cell, 'after').length, 1)
  } finally {
    await client.close().catch(() => {})
  }
}

/** The retry was refused, in so many words. */
function checkRetry(cell: Cell): void {
  const calls = clientCalls(cell)
  same('calls at the client', calls.length, 2)
  const error = digObject(calls[1]?.received.at(-1), 'error')
  holds('the retry got no clean error', Number.isInteger(error['code']), calls[1]?.status)
  holds('the retry found a fault of ours', error['code'] !== -32_603, error)
}

/** The stream of the call broke; the answer that came too late did no harm. */
async function checkAnswer({ client }: Cell): Promise<void> {
  const answers = client.wire.exchanges.filter(({ sent }) => 'result' in (sent ?? {}))
  same('answers of the client', answers.length, 1)
  // It may still be under way when its call has failed.
  const status = await until('the status of the answer', () => answers[0]?.status || undefined)
  holds('the answer met a fault of ours', status < 500, status)
}
