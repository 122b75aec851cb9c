import {
  LEASE_MS,
  type LeaseGrant,
  type LeaseRequest,
  leaseSize,
  type Unspent,
  WINDOW_MS,
} from './lease.ts'
import { type Taken, takePermits, type WindowState } from './window.ts'

/** A question not answered for this long (its request was cancelled) is forgotten. */
const ASK_MS = 5_000

/** Permits of one grant; the isolate spends them until `expiresAt`. */
export interface Lease {
  permits: number
  readonly grantedAt: number
  readonly expiresAt: number
}

/** What one isolate holds of one limit. Synchronous; the caller passes the time. */
export interface Account {
  readonly scope: 'tenant' | 'principal'
  /** Takes one permit and says of which lease; undefined when there is none. */
  spend(now: number): Lease | undefined
  /** True when under a quarter of a lease is left and nobody is asking for more. */
  isLow(now: number): boolean
  /** The next question for the object; hands back expired permits. */
  request(now: number): LeaseRequest
  /** Takes the answer to the question asked at `askedAt`. */
  settle(grant: LeaseGrant, askedAt: number, now: number): void
  /** The question failed; what it handed back stays counted. */
  abandon(): void
  /** How long the object's last refusal holds; 0 when it does not. */
  refusedForMs(now: number): number
  /** Takes one permit of this isolate's own window, for when there is no object to ask. */
  spendAlone(now: number): Taken
}

/** An account of `limit` permits a minute that the object knows as `key`. */
export function createAccount(scope: Account['scope'], key: string, limit: number): Account {
  let leases: Lease[] = []
  let refusedUntil = 0
  let askingUntil = 0
  let alone: WindowState | undefined

  const held = (now: number): number =>
    leases.reduce((sum, lease) => sum + (lease.expiresAt > now ? lease.permits : 0), 0)

  return {
    scope,

    spend(now) {
      const lease = leases.find(({ permits, expiresAt }) => permits > 0 && expiresAt > now)
      if (lease !== undefined) lease.permits -= 1
      return lease
    },

    isLow: (now) => held(now) < leaseSize(limit) / 4 && askingUntil <= now && refusedUntil <= now,

    request(now) {
      const unspent: Unspent[] = leases
        .filter(({ permits, expiresAt }) => permits > 0 && expiresAt <= now)
        .map(({ permits, grantedAt }) => ({ count: permits, grantedAt }))
      leases = leases.filter(({ permits, expiresAt }) => permits > 0 && expiresAt > now)
      // While one request fetches a lease, the others ask for their own permit alone: a burst on
      // a cold isolate must not lease the whole limit.
      const want = askingUntil > now ? 1 : leaseSize(limit)
      askingUntil = now + ASK_MS
      return { key, limit, want, unspent }
    },

    settle({ granted, grantedAt, retryAfterMs }, askedAt, now) {
      askingUntil = 0
      if (granted === 0) refusedUntil = now + retryAfterMs
      else leases.push({ permits: granted, grantedAt, expiresAt: askedAt + LEASE_MS })
    },

    abandon() {
      askingUntil = 0
    },

    refusedForMs: (now) => Math.max(0, refusedUntil - now),

    spendAlone(now) {
      const taken = takePermits(alone, { limit, windowMs: WINDOW_MS }, 1, now)
      alone = taken.state
      return taken
    },
  }
}
