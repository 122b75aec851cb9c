import { isDeepStrictEqual } from 'node:util'

/** What a cell wanted and did not find. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch'
}

const SHOWN_CHARS = 400

/** Throws `Mismatch` unless both are deeply the same; `what` says whose and which value it is. */
export function same(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Mismatch(`${what}: ${shown(actual)} instead of ${shown(expected)}`)
}

/** Throws `Mismatch` unless it holds. */
export function holds(what: string, condition: boolean, seen?: unknown): asserts condition {
  if (condition) return
  throw new Mismatch(seen === undefined ? what : `${what}; seen: ${shown(seen)}`)
}

/** The one element. */
export function only<T>(what: string, list: readonly T[]): T {
  const [first, ...more] = list
  if (first === undefined || more.length > 0) {
    throw new Mismatch(`${what}: ${list.length} instead of 1`)
  }
  return first
}

const LOOK_EVERY_MS = 5
/** What is true by itself is true within this time. */
const DEADLINE_MS = 8_000

/** Waits until `look` gives something; throws `Mismatch` at the deadline. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false,
  { deadlineMs = DEADLINE_MS, everyMs = LOOK_EVERY_MS } = {},
): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    if (Date.now() >= deadline) throw new Mismatch(`${what}: not within ${deadlineMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}...` : text
}
