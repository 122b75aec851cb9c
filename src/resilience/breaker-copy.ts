import { type BreakerConfig, type BreakerState, CLOSED } from './breaker.ts'

/** Whose endpoint a breaker guards, as far as an event tells it. */
export interface BreakerOwner {
  readonly tenant: string
  /** Path of the server. */
  readonly path: string
}

/** What one isolate knows of one breaker. Changed in place: every call passes here. */
export interface BreakerCopy {
  state: BreakerState
  /** The object gave the probe to someone else. */
  refusedUntil: number
  /** Reports sent: only the answer to the last one is news. */
  reports: number
  /** The numbers of its server; undefined while only those spoke of it who do not know it. */
  config: BreakerConfig | undefined
  owner: BreakerOwner | undefined
  /** Successes that the object was not told of: of this half window, and of the one before it. */
  successes: number
  earlier: number
  halfSince: number
}

/** Of an endpoint that nothing is known of. */
export function newCopy(): BreakerCopy {
  return {
    state: CLOSED,
    refusedUntil: 0,
    reports: 0,
    config: undefined,
    owner: undefined,
    successes: 0,
    earlier: 0,
    halfSince: 0,
  }
}

/** Counts one success that the object need not be told of at once. */
export function countSuccess(copy: BreakerCopy, windowMs: number, now: number): void {
  turn(copy, windowMs, now)
  copy.successes += 1
}

/** The successes of the last half to whole window that were not told yet; now they are. */
export function takeSuccesses(copy: BreakerCopy, windowMs: number, now: number): number {
  turn(copy, windowMs, now)
  const taken = copy.successes + copy.earlier
  copy.successes = 0
  copy.earlier = 0
  return taken
}

function turn(copy: BreakerCopy, windowMs: number, now: number): void {
  const sinceMs = now - copy.halfSince
  if (sinceMs * 2 < windowMs) return
  copy.earlier = sinceMs < windowMs ? copy.successes : 0
  copy.successes = 0
  copy.halfSince = now
}
