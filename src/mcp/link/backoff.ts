import type { Clock, Random } from '../../core/index.ts'

/** When a server that could not be connected to may be tried again. */
export interface Backoff {
  /** How long it is still left alone; 0 when it may be tried. */
  waitMs(): number
  succeeded(): void
  failed(): void
}

/** After the first failure; it doubles with each one. */
const FIRST_MS = 250
const MAX_MS = 30_000

/** Exponential, with jitter: half of the wait is chance, so that not all come back at once. */
export function createBackoff(clock: Clock, random: Pick<Random, 'fraction'>): Backoff {
  let failures = 0
  let until = 0
  return {
    waitMs: () => Math.max(until - clock.now(), 0),
    succeeded() {
      failures = 0
      until = 0
    },
    failed() {
      const wholeMs = Math.min(FIRST_MS * 2 ** failures, MAX_MS)
      failures += 1
      until = clock.now() + wholeMs * (0.5 + random.fraction() / 2)
    },
  }
}
