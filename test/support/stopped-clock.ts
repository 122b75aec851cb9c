/** Time that stands still unless a test moves it: freshness and limits are decided, not raced. */
export interface StoppedClock {
  now(): number
  advance(ms: number): void
}

/** @see StoppedClock */
export function stoppedClock(now = Date.now()): StoppedClock {
  return {
    now: () => now,
    advance(ms) {
      now += ms
    },
  }
}
