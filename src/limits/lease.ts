import { periodEnd, type Window } from './window.ts'

/** The window of the deployment's own limits. */
export const WINDOW_MS = 60_000

/** How long an isolate may spend a lease: bounds how late a counted permit can be used. */
const LEASE_MS = 30_000

/** Leases of a sliding limit: small enough to share among isolates, large enough to call rarely. */
const LEASES_OF_ONE = 10
/** Of a limit that several principals share each leases for itself. */
const LEASES_OF_SHARED = 100
/** A quota's permits that an isolate takes with it when it dies are lost until the period ends. */
const LEASES_OF_QUOTA = 1_000
const MAX_QUOTA_LEASE = 100

/** Permits that an isolate leased and will not spend. */
export interface Unspent {
  readonly count: number
  /** As the object said when it granted them. */
  readonly grantedAt: number
}

/** One of several who share a counter. */
export interface Member {
  readonly key: string
  /** Its part of a fair division, relative to the others'. */
  readonly weight: number
}

/** What an isolate asks of the tenant's object for one counter. */
export interface LeaseRequest {
  readonly key: string
  readonly limit: number
  readonly window: Window
  readonly want: number
  readonly unspent: readonly Unspent[]
  /** Who asks, where the counter is shared. */
  readonly member?: Member
}

export interface LeaseGrant {
  /** 0 to `want`; counted as used from now on. */
  readonly granted: number
  /** Epoch ms of the object's clock. */
  readonly grantedAt: number
  /** When nothing was granted: how long to wait before asking again. */
  readonly retryAfterMs: number
  /** Permits that were free behind this grant. */
  readonly left: number
}

/** Permits of one lease. */
export function leaseSize(limit: number, window: Window, isShared = false): number {
  if (typeof window !== 'number') {
    return Math.min(MAX_QUOTA_LEASE, Math.max(1, Math.floor(limit / LEASES_OF_QUOTA)))
  }
  return Math.max(1, Math.floor(limit / (isShared ? LEASES_OF_SHARED : LEASES_OF_ONE)))
}

/** How long a lease of such a window may be spent: never longer than half of it. */
export function leaseMs(window: Window): number {
  return typeof window === 'number' ? Math.min(LEASE_MS, window / 2) : LEASE_MS
}

/**
 * Until when a lease may be spent, by the isolate's clock, which asked at `askedAt`. A quota's ends
 * with its period, however the object's clock differs from the isolate's.
 */
export function leaseExpiry(window: Window, askedAt: number, grantedAt: number): number {
  const byAge = askedAt + leaseMs(window)
  if (typeof window === 'number') return byAge
  return Math.min(byAge, askedAt + (periodEnd(window, grantedAt) - grantedAt))
}

/**
 * The most permits that all isolates together can spend in any `spanMs` while the object answers.
 * It counts a permit when it grants it, so what is spent in a span was granted in that span or one
 * lease before; and of a window of two buckets a span has at most `limit * (1 + span / window)`
 * (a full bucket's end, then what slides out). Isolates that die and clocks that differ only make
 * it less. A calendar period has `limit`, and as much for each further one that the span touches.
 * After a quiet window it is `limit` in the bucket that begins.
 */
export function mostSpent(limit: number, window: Window, spanMs: number): number {
  if (typeof window === 'number') return limit * (1 + (spanMs + leaseMs(window)) / window)
  return limit * (1 + Math.ceil((spanMs + LEASE_MS) / shortestMs(window)))
}

/**
 * The same when so many isolates could not reach the object at some time of the span, or did not
 * get an answer of it: each of them counts alone, with windows of its own, for as long as that lasts.
 */
export function mostSpentAlone(
  limit: number,
  window: Window,
  spanMs: number,
  isolates: number,
): number {
  const ofOne = limit * (1 + spanMs / (typeof window === 'number' ? window : shortestMs(window)))
  return mostSpent(limit, window, spanMs) + isolates * ofOne
}

function shortestMs(window: 'day' | 'month'): number {
  return (window === 'day' ? 1 : 28) * 86_400_000
}
