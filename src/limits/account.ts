import type { Counter } from './counter.ts'
import {
  type LeaseGrant,
  type LeaseRequest,
  leaseExpiry,
  leaseMs,
  leaseSize,
  type Member,
  type Unspent,
} from './lease.ts'
import { returnPermits, type Taken, takePermits, windowSeconds } from './window.ts'

/** A question not answered for this long (its request was cancelled) is forgotten. */
const ASK_MS = 5_000
/** A refusal holds at least this long here, so that a flood asks the object four times a second. */
const MIN_REFUSAL_MS = 250
/** The first lease is so small a part of the largest. */
const COLD_PART = 4

/** Permits of one grant; the isolate spends them until `expiresAt`. */
export interface Lease {
  permits: number
  readonly grantedAt: number
  readonly expiresAt: number
}

/** What one isolate holds of one counter, for one member of a shared one. Synchronous. */
export interface Account {
  readonly counter: Counter
  /** Takes one permit and says of which lease; undefined when there is none. */
  spend(now: number): Lease | undefined
  /** Gives back a permit of a call that another limit refused. */
  putBack(lease: Lease): void
  /**
   * True when under a quarter of a lease is left and nobody is asking for more. Never of one permit:
   * most of those who get no more do not come back, and the next would be lost.
   */
  isLow(now: number): boolean
  /** The next question for the object; hands back expired permits. */
  request(now: number): LeaseRequest
  /** Hands back expired permits and asks for nothing; undefined when there are none. */
  handBack(now: number): LeaseRequest | undefined
  /** When the last lease that holds anything expires; 0 without one. */
  heldUntil(): number
  /** Takes the answer to the question asked at `askedAt`. */
  settle(grant: LeaseGrant, askedAt: number, now: number): void
  /** The question failed; what it handed back stays counted. */
  abandon(): void
  /** How long the object's last refusal holds; 0 when it does not. */
  refusedForMs(now: number): number
  /** Takes one permit of this isolate's own window, for when there is no object to ask. */
  spendAlone(now: number): Taken
  /** Gives back a permit that `spendAlone` took at `takenAt`. */
  putBackAlone(takenAt: number, now: number): void
  /** About how many permits the counter has left, by what the object said last. */
  left(): number
  /** The member of a `RateLimit` field; `seconds` until something is free again. */
  describe(left: number, seconds?: number): string
}

/** An account of the counter; of the member's part where it is shared. */
export function createAccount(counter: Counter, member?: Member): Account {
  const { key, limit, window, name } = counter
  const size = leaseSize(limit, window, counter.isShared)
  const prefix = `"${name}";r=`
  const suffix = `;t=${windowSeconds(window)}`
  let leases: Lease[] = []
  let refusedUntil = 0
  let askingUntil = 0
  let left = limit
  // Slow start: a tenant has many isolates, and most serve a principal seldom.
  let lease = Math.ceil(size / COLD_PART)
  /** Of the last grant: where permits are scarce it is less than what was asked for. */
  let lastGrant = size
  let spentSince = 0
  let askedAt: number | undefined

  function takeExpired(now: number): Unspent[] {
    const unspent: Unspent[] = []
    for (const one of leases) {
      if (one.permits === 0 || one.expiresAt > now) continue
      unspent.push({ count: one.permits, grantedAt: one.grantedAt })
      one.permits = 0
    }
    leases = leases.filter(({ permits }) => permits > 0)
    return unspent
  }

  /** What the isolate spends in the time of a lease at its pace of late; at most twice as before. */
  function pace(now: number): number {
    if (askedAt === undefined) {
      askedAt = now
      return lease
    }
    const elapsedMs = now - askedAt
    const wanted = elapsedMs <= 0 ? size : Math.ceil((spentSince * leaseMs(window)) / elapsedMs)
    askedAt = now
    spentSince = 0
    return Math.max(1, Math.min(size, 2 * lease, wanted))
  }

  function held(now: number): number {
    let sum = 0
    for (const lease of leases) if (lease.expiresAt > now) sum += lease.permits
    return sum
  }

  return {
    counter,

    spend(now) {
      for (const one of leases) {
        if (one.permits === 0 || one.expiresAt <= now) continue
        one.permits -= 1
        left -= 1
        spentSince += 1
        return one
      }
      return undefined
    },

    putBack(from) {
      from.permits += 1
      // It was empty, and may have been cleared away meanwhile.
      if (!leases.includes(from)) leases.push(from)
      left += 1
      spentSince -= 1
    },

    isLow: (now) =>
      lastGrant > 1 && held(now) < lastGrant / 4 && askingUntil <= now && refusedUntil <= now,

    request(now) {
      const unspent = takeExpired(now)
      // While one request fetches a lease, the others ask for their own permit alone: a burst on
      // a cold isolate must not lease the whole limit.
      const isAsking = askingUntil > now
      if (!isAsking) lease = pace(now)
      const want = isAsking ? 1 : lease
      askingUntil = now + ASK_MS
      return { key, limit, window, want, unspent, ...(member ? { member } : {}) }
    },

    handBack(now) {
      const unspent = takeExpired(now)
      return unspent.length === 0
        ? undefined
        : { key, limit, window, want: 0, unspent, ...(member ? { member } : {}) }
    },

    heldUntil: () =>
      leases.reduce((last, one) => (one.permits > 0 ? Math.max(last, one.expiresAt) : last), 0),

    settle(grant, askedAt, now) {
      const { granted, grantedAt, retryAfterMs } = grant
      askingUntil = 0
      if (granted === 0) refusedUntil = now + Math.max(MIN_REFUSAL_MS, retryAfterMs)
      else {
        const expiresAt = leaseExpiry(window, askedAt, grantedAt)
        leases.push({ permits: granted, grantedAt, expiresAt })
        lastGrant = granted
      }
      left = grant.left + held(now)
    },

    abandon() {
      askingUntil = 0
    },

    refusedForMs: (now) => Math.max(0, refusedUntil - now),

    spendAlone(now) {
      const taken = takePermits(counter.alone, { limit, window }, 1, now)
      counter.alone = taken.state
      left = Math.max(0, limit - taken.state.current)
      return taken
    },

    putBackAlone(takenAt, now) {
      counter.alone = returnPermits(counter.alone, window, 1, takenAt, now)
      left = Math.max(0, limit - counter.alone.current)
    },

    left: () => left,
    describe: (remaining, seconds) =>
      prefix + Math.max(0, remaining) + (seconds === undefined ? suffix : `;t=${seconds}`),
  }
}
