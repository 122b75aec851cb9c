import type { Cell, Place } from './cell.ts'
import type { Outcome, Pair } from './report.ts'
import { checkClientEnd } from './rules/client-end.ts'
import { checkUpstreamEnd } from './rules/upstream-end.ts'
import { standUp } from './stand.ts'
import type { Topic } from './topics/index.ts'
import type { World } from './world.ts'

/** Answers come within this time, the client's own thinking aside. */
const CALL_TIMEOUT_MS = 10_000
/** Longer than anything in a cell waits for, thinking aside. */
const CELL_DEADLINE_MS = 60_000
/** Questions within one topic, at most. */
const QUESTIONS = 4
const REASON_CHARS = 600

/**
 * Connects a client of its own, runs the topic, and looks at all that passed at both ends. The
 * client thinks for `thinkMs` before it answers a question.
 */
export async function runCell(
  world: World,
  topic: Topic,
  pair: Pair,
  table: string,
  { place, thinkMs = 0 }: { readonly place: Place; readonly thinkMs?: number },
): Promise<Outcome> {
  const thinkingMs = QUESTIONS * thinkMs
  const options = {
    place,
    timeoutMs: CALL_TIMEOUT_MS + thinkingMs,
    ...(thinkMs > 0 ? { think: () => new Promise<void>((go) => setTimeout(go, thinkMs)) } : {}),
  }
  return outcomeOf({ topic: topic.name, pair, table }, CELL_DEADLINE_MS + thinkingMs, async () => {
    await runIn(await standUp(world, pair, options), topic)
  })
}

async function runIn(cell: Cell, topic: Topic): Promise<void> {
  try {
    await topic.run(cell)
    checkClientEnd(cell)
    checkUpstreamEnd(cell)
  } finally {
    await cell.client.close().catch(() => {})
  }
}

/** How it went: what it throws is the reason, and so is that it has no end. */
export async function outcomeOf(
  what: Pick<Outcome, 'topic' | 'pair' | 'table'>,
  deadlineMs: number,
  run: () => Promise<void>,
): Promise<Outcome> {
  const startedAt = Date.now()
  const reason = await Promise.race([run().then(() => undefined, reasonOf), late(deadlineMs)])
  const ms = Date.now() - startedAt
  return { ...what, ms, ...(reason === undefined ? {} : { reason }) }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return text.replaceAll(/\s+/g, ' ').slice(0, REASON_CHARS)
}

/** A timer that keeps nobody waiting. */
function late(ms: number): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(`not finished after ${ms} ms`), ms).unref()
  })
}
