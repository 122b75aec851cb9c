/** Bounds of the age of a copy, in milliseconds since it was last confirmed. */
export interface AgeBounds {
  /** Younger is used as it is. */
  readonly freshMs: number
  /** Younger is used while it is confirmed behind the call; older is confirmed first. */
  readonly staleMs: number
}

/** Of a copy that may serve for a while when it cannot be confirmed. */
export interface FreshnessConfig extends AgeBounds {
  /** How old it may serve when D1 cannot be read. Default 60,000. */
  readonly policyMaxStaleMs: number
}

/** Of what may be revoked anywhere: so a change takes effect within 5 s (DESIGN.md, Decision 4). */
export const REVOCABLE: AgeBounds = { freshMs: 3_000, staleMs: 5_000 }

export type Freshness = 'use' | 'use_and_confirm' | 'confirm_first'

/** What to do with a copy before a call uses it. */
export function freshnessOf(ageMs: number, bounds: AgeBounds): Freshness {
  // A clock that went back says nothing of the age.
  if (ageMs < 0 || ageMs >= bounds.staleMs) return 'confirm_first'
  return ageMs < bounds.freshMs ? 'use' : 'use_and_confirm'
}

/** Whether a copy that could not be confirmed may still serve. */
export function mayServeStale(ageMs: number, config: FreshnessConfig): boolean {
  return ageMs >= 0 && ageMs < config.policyMaxStaleMs
}

/**
 * Whether to start confirming behind a call, when another call may have started already. By time
 * and not by a shared promise: a promise belongs to one request's I/O.
 */
export function mayStartConfirm(startedAt: number, now: number, bounds: AgeBounds): boolean {
  return now < startedAt || now - startedAt >= bounds.staleMs - bounds.freshMs
}
