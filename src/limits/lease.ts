import { returnPermits, takePermits, type WindowState } from './window.ts'

/** Every limit is per minute. */
export const WINDOW_MS = 60_000

/** How long an isolate may spend a lease: bounds how late a counted permit can be used. */
export const LEASE_MS = 30_000

/** Permits that an isolate leased and will not spend. */
export interface Unspent {
  readonly count: number
  /** As the object said when it granted them. */
  readonly grantedAt: number
}

/** What an isolate asks of the tenant's object for one key. */
export interface LeaseRequest {
  readonly key: string
  /** Permits a minute. */
  readonly limit: number
  readonly want: number
  readonly unspent: readonly Unspent[]
}

export interface LeaseGrant {
  /** 0 to `want`; counted as used from now on. */
  readonly granted: number
  /** Epoch ms of the object's clock. */
  readonly grantedAt: number
  /** When nothing was granted: how long to wait before asking again. */
  readonly retryAfterMs: number
}

/** A tenth of the limit: small enough to share among isolates, large enough to call rarely. */
export function leaseSize(limit: number): number {
  return Math.max(1, Math.floor(limit / 10))
}

/**
 * Answers one request: takes unspent permits back, then counts new ones at once. So the leases of
 * all isolates together never exceed the window.
 */
export function grantLease(
  state: WindowState | undefined,
  request: LeaseRequest,
  now: number,
): { state: WindowState; grant: LeaseGrant } {
  const returned = request.unspent.reduce<WindowState | undefined>(
    (window, { count, grantedAt }) => returnPermits(window, WINDOW_MS, count, grantedAt, now),
    state,
  )
  const rule = { limit: request.limit, windowMs: WINDOW_MS }
  const taken = takePermits(returned, rule, request.want, now)
  const { granted, retryAfterMs } = taken
  return { state: taken.state, grant: { granted, retryAfterMs, grantedAt: now } }
}
