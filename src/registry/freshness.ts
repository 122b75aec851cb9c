/** Bounds of a snapshot's age, in milliseconds since its generation was last confirmed. */
export interface FreshnessConfig {
  /** Younger is used as it is. Default 3,000. */
  readonly freshMs: number
  /** Younger is used while it is confirmed behind the call; older is confirmed first. 5,000. */
  readonly staleMs: number
  /** How old it may serve when D1 cannot be read. Default 60,000. */
  readonly policyMaxStaleMs: number
}

export type Freshness = 'use' | 'use_and_confirm' | 'confirm_first'

/** What to do with a snapshot before a call uses it (DESIGN.md, Decision 4). */
export function freshnessOf(ageMs: number, config: FreshnessConfig): Freshness {
  // A clock that went back says nothing of the age.
  if (ageMs < 0 || ageMs >= config.staleMs) return 'confirm_first'
  return ageMs < config.freshMs ? 'use' : 'use_and_confirm'
}

/** Whether a snapshot that could not be confirmed may still serve. */
export function mayServeStale(ageMs: number, config: FreshnessConfig): boolean {
  return ageMs >= 0 && ageMs < config.policyMaxStaleMs
}

/**
 * Whether to start confirming behind a call, when another call may have started already. By time
 * and not by a shared promise: a promise belongs to one request's I/O.
 */
export function mayStartConfirm(startedAt: number, now: number, config: FreshnessConfig): boolean {
  return now < startedAt || now - startedAt >= config.staleMs - config.freshMs
}
