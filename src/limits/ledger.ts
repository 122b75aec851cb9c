import { z } from 'zod'
import { setBounded } from '../core/index.ts'
import { fairRoom, type MemberState } from './fair.ts'
import { type LeaseGrant, type LeaseRequest, leaseMs } from './lease.ts'
import {
  advance,
  idleAt,
  isIdle,
  returnPermits,
  takePermits,
  usedPermits,
  type Window,
  type WindowState,
} from './window.ts'

/** Where a ledger keeps what it counts: the object's storage. */
export interface LedgerStore {
  get(key: string): unknown
  put(key: string, value: unknown): void
  delete(key: string): void
  list(prefix: string): Iterable<[string, unknown]>
}

/** One counter as it stands. */
export interface CounterUse {
  readonly key: string
  readonly limit: number
  readonly window: Window
  /** Leased to isolates or spent; sliding out all the time. */
  readonly used: number
}

/** Counts the permits of one tenant. Synchronous; storage is the truth, memory a cache of members. */
export interface Ledger {
  /** Grants permits, counted at once; one answer per request, in their order. */
  lease(requests: readonly LeaseRequest[], now: number): LeaseGrant[]
  /** The counters with anything on them, the fullest first, at most `max`. */
  usage(now: number, max: number): CounterUse[]
  /** Forgets what says nothing any more. When to look again, epoch ms; undefined when all is gone. */
  sweep(now: number): number | undefined
}

const COUNTER = 'counter:'
const MEMBER = 'member:'
/** Members told apart in one counter; those beyond share one part, as large as that of as many. */
const MAX_MEMBERS = 1_000
const REST: string = ''
/** Shared counters whose members are held in memory. */
const MAX_CACHED = 200
/** A refusal for want of a share is asked about again after this part of the window, at most 5 s. */
const SHARE_RETRY_PART = 60
const MAX_SHARE_RETRY_MS = 5_000
/** The last permits of a quota go out in small lots, so that few lie in isolates that need none. */
const QUOTA_LOTS = 4
/** A shared limit of which less than this part is free is contended. */
const SCARCE_PART = 0.25
const CONTENDED_LOTS = 10
/** What members may hold that are not known to spend it is such a part of a shared limit. */
const UNSPENT_PARTS = 16

const WindowShape = z.strictObject({
  bucket: z.number().int(),
  current: z.number(),
  previous: z.number(),
})
const WindowKind = z.union([z.number(), z.enum(['day', 'month'])])
const StoredCounter = z.strictObject({ state: WindowShape, limit: z.number(), window: WindowKind })
type StoredCounter = z.infer<typeof StoredCounter>
const StoredMember = z.strictObject({
  window: WindowShape,
  weight: z.number(),
  isMany: z.boolean().optional(),
  want: z.number(),
  askedAt: z.number(),
  hungryAt: z.number(),
  granted: z.number(),
  since: z.number(),
  windowMs: z.number(),
})

/** @see Ledger */
export function createLedger(store: LedgerStore): Ledger {
  const cached = new Map<string, Map<string, MemberState>>()

  return {
    lease: (requests, now) => requests.map((request) => leaseOne(request, now)),

    usage(now, max) {
      const counters = [...store.list(COUNTER)].flatMap(([key, value]): CounterUse[] => {
        const counter = StoredCounter.safeParse(value).data
        if (counter === undefined) return []
        const { state, limit, window } = counter
        const used = usedPermits(state, window, now)
        return used > 0 ? [{ key: key.slice(COUNTER.length), limit, window, used }] : []
      })
      return counters.sort((a, b) => b.used / b.limit - a.used / a.limit).slice(0, max)
    },

    sweep(now) {
      cached.clear()
      let next: number | undefined
      const keep = (key: string, until: number | undefined): void => {
        if (until === undefined || until <= now) store.delete(key)
        else next = Math.min(next ?? until, until)
      }
      for (const [key, value] of [...store.list(COUNTER)]) {
        const counter = StoredCounter.safeParse(value).data
        keep(key, counter && idleAt(counter.state, counter.window))
      }
      for (const [key, value] of [...store.list(MEMBER)]) {
        const member = StoredMember.safeParse(value).data
        keep(key, member && idleAt(member.window, member.windowMs))
      }
      return next
    },
  }

  function leaseOne(request: LeaseRequest, now: number): LeaseGrant {
    const { key, limit, window, unspent } = request
    const state = giveBack(read(key), window, unspent, now)
    if (request.want === 0) return takeBack(request, state, now)
    const { state: next, ...grant } =
      request.member && typeof window === 'number'
        ? grantShared({ ...request, member: request.member, window }, state, now)
        : takePermits(state, { limit, window }, lotOf(request, state, now), now)
    store.put(COUNTER + key, { state: next, limit, window } satisfies StoredCounter)
    const left = Math.max(0, Math.floor(limit - usedPermits(next, window, now)))
    return { ...grant, grantedAt: now, left }
  }

  /** For who asks for nothing and is not heard of: permits that an isolate did not spend. */
  function takeBack(request: LeaseRequest, state: WindowState, now: number): LeaseGrant {
    const { key, window, unspent, member } = request
    // Whoever asks under a limit that was changed meanwhile must not bring the old one back.
    const limit = StoredCounter.safeParse(store.get(COUNTER + key)).data?.limit ?? request.limit
    store.put(COUNTER + key, { state, limit, window } satisfies StoredCounter)
    const name = member && nameIn(membersOf(key), member.key)
    const known = name === undefined ? undefined : membersOf(key).get(name)
    if (name !== undefined && known && typeof window === 'number') {
      const after = { ...known, window: giveBack(known.window, window, unspent, now) }
      membersOf(key).set(name, after)
      store.put(memberKey(key, name), { ...after, windowMs: window })
    }
    const left = Math.max(0, Math.floor(limit - usedPermits(state, window, now)))
    return { granted: 0, retryAfterMs: 0, grantedAt: now, left }
  }

  function grantShared(
    request: LeaseRequest & {
      readonly member: NonNullable<LeaseRequest['member']>
      window: number
    },
    total: WindowState,
    now: number,
  ) {
    const { key, limit, window: windowMs, unspent, member } = request
    const want = contendedLot(request.want, limit, usedPermits(total, windowMs, now))
    const members = membersOf(key)
    if (members.size >= MAX_MEMBERS) forgetIdle(key, members, windowMs, now)
    const name = nameIn(members, member.key)
    const before = members.get(name)
    const asker: MemberState = {
      window: giveBack(before?.window, windowMs, unspent, now),
      ...(name === REST ? { isMany: true, weight: MAX_MEMBERS } : { weight: member.weight }),
      want,
      askedAt: now,
      hungryAt: before?.hungryAt ?? 0,
      granted: 0,
      since: before && !isIdle(before.window, windowMs, now) ? Math.min(before.since, now) : now,
    }
    members.set(name, asker)
    const retryAfterMs = Math.min(windowMs / SHARE_RETRY_PART, MAX_SHARE_RETRY_MS)
    const times = { activeMs: leaseMs(windowMs), hungryMs: 2 * retryAfterMs }
    const shared = { limit, windowMs, ...times, total, members: members.values(), asker }
    const room = fairRoom(shared, now)
    const known = asker.isMany ? 0 : usedPermits(asker.window, windowMs, now)
    const lot = Math.min(want, room, lotOfMember(limit, members.size, known))
    const taken = takePermits(total, { limit, window: windowMs }, lot, now)
    const { granted } = taken
    const window = { ...asker.window, current: asker.window.current + granted }
    const hungryAt = granted < lot || room < want ? now : asker.hungryAt
    const after = { ...asker, window, hungryAt, granted }
    members.set(name, after)
    store.put(memberKey(key, name), { ...after, windowMs })
    return room > 0 ? taken : { ...taken, retryAfterMs }
  }

  /** Who has nothing on his window any more must not keep anyone out. */
  function forgetIdle(
    key: string,
    members: Map<string, MemberState>,
    windowMs: number,
    now: number,
  ): void {
    for (const [name, { window }] of members) {
      if (!isIdle(window, windowMs, now)) continue
      members.delete(name)
      store.delete(memberKey(key, name))
    }
  }

  function membersOf(key: string): Map<string, MemberState> {
    const known = cached.get(key) ?? loadMembers(key)
    setBounded(cached, key, known, MAX_CACHED)
    return known
  }

  function loadMembers(key: string): Map<string, MemberState> {
    const prefix = memberKey(key, '')
    const loaded = new Map<string, MemberState>()
    for (const [name, value] of store.list(prefix)) {
      const member = StoredMember.safeParse(value).data
      if (member === undefined) continue
      const { windowMs: _, ...state } = member
      loaded.set(name.slice(prefix.length), state)
    }
    return loaded
  }

  /** What does not parse counts as nothing: counters are not worth an outage. */
  function read(key: string): WindowState | undefined {
    return StoredCounter.safeParse(store.get(COUNTER + key)).data?.state
  }
}

function giveBack(
  state: WindowState | undefined,
  window: Window,
  unspent: LeaseRequest['unspent'],
  now: number,
): WindowState {
  const start = advance(state ?? { bucket: 0, current: 0, previous: 0 }, window, now)
  return unspent.reduce(
    (moved, { count, grantedAt }) => returnPermits(moved, window, count, grantedAt, now),
    start,
  )
}

/** What lies in isolates is nobody's share: where permits are scarce, leases are a tenth. */
function contendedLot(want: number, limit: number, used: number): number {
  return limit - used >= limit * SCARCE_PART ? want : Math.ceil(want / CONTENDED_LOTS)
}

/**
 * Of many members most come once: all together hold a small part of what is shared, until they have
 * shown that they spend it.
 */
function lotOfMember(limit: number, members: number, used: number): number {
  return Math.max(1, Math.floor(limit / (UNSPENT_PARTS * members)), Math.floor(used))
}

function lotOf({ limit, window, want }: LeaseRequest, state: WindowState, now: number): number {
  if (typeof window === 'number') return want
  return Math.min(
    want,
    Math.max(1, Math.ceil((limit - usedPermits(state, window, now)) / QUOTA_LOTS)),
  )
}

/** Under which name a member is counted. */
function nameIn(members: ReadonlyMap<string, MemberState>, key: string): string {
  return members.size < MAX_MEMBERS || members.has(key) ? key : REST
}

/** The counter's length stands in front, so that no key is the beginning of another. */
function memberKey(counter: string, member: string): string {
  return `${MEMBER}${counter.length}:${counter}\n${member}`
}
