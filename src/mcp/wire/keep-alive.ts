import type { Clock } from '../../core/index.ts'

/** Well below the minute or so after which proxies drop a silent connection. */
export const KEEP_ALIVE_MS = 25_000

/** A comment, which clients skip. Fits between events alone. */
export const KEEP_ALIVE = new TextEncoder().encode(': keep-alive\n\n')

/** When a stream must show that it lives, whatever its server says that its client never sees. */
export interface KeepAlive {
  /** From now; at least 1. */
  dueInMs(): number
  isDue(): boolean
  /** Something was written. */
  wrote(): void
}

/** @see KeepAlive */
export function createKeepAlive(clock: Clock): KeepAlive {
  let dueAt = clock.now() + KEEP_ALIVE_MS
  return {
    dueInMs: () => Math.min(Math.max(dueAt - clock.now(), 1), KEEP_ALIVE_MS),
    isDue: () => clock.now() >= dueAt,
    wrote() {
      dueAt = clock.now() + KEEP_ALIVE_MS
    },
  }
}
