import { advance, elapsed, usedPermits, type WindowState } from './window.ts'

/** What one of several wants of something that they share. */
export interface Demand {
  readonly weight: number
  readonly demand: number
}

/**
 * The level of the weighted max-min fair division: each gets the smaller of its demand and
 * `weight * level`, so what one does not want goes to those who want more, and nobody can get more
 * without taking from somebody who has less for his weight. Infinity when there is enough for all.
 */
export function fairLevel(capacity: number, demands: readonly Demand[]): number {
  const rising = [...demands].sort((a, b) => a.demand / a.weight - b.demand / b.weight)
  let left = capacity
  let weights = rising.reduce((sum, { weight }) => sum + weight, 0)
  for (const { demand, weight } of rising) {
    if (demand / weight > left / weights) return Math.max(0, left / weights)
    left -= demand
    weights -= weight
  }
  return Number.POSITIVE_INFINITY
}

/** One who shares a counter, as the object remembers it. */
export interface MemberState {
  readonly window: WindowState
  readonly weight: number
  /** It stands for all that are not told apart. */
  readonly isMany?: boolean | undefined
  /** What it asked for last, and when. */
  readonly want: number
  readonly askedAt: number
  /** When it last got less than it asked for; 0 before. */
  readonly hungryAt: number
  /** What it got when it asked last. */
  readonly granted: number
  /** When it came: its first question since it last had nothing on its window. */
  readonly since: number
}

export interface ShareRequest {
  readonly limit: number
  readonly windowMs: number
  /** Nobody has left who asked this lately. */
  readonly activeMs: number
  /** Who got too little this lately wants all that he can get. */
  readonly hungryMs: number
  readonly total: WindowState
  /** The asker among them, with what it wants now. */
  readonly members: Iterable<MemberState>
  readonly asker: MemberState
}

/**
 * How many permits the asker may have of a shared sliding window, before what is free is asked for:
 * its fair share, where everyone else wants what a window brings at his pace, and never all that a
 * newcomer would need. So a newcomer finds at once what his share gives until the bucket ends, and
 * from then on what slides out (docs/decisions/0013-fair-shares.md).
 */
export function fairRoom(request: ShareRequest, now: number): number {
  const { limit, windowMs, asker } = request
  const demands: Demand[] = []
  let activeWeight = 0
  let heaviest = 0
  for (const member of request.members) {
    const { weight } = member
    if (!hasLeft(member, request, now)) {
      activeWeight += weight
      heaviest = Math.max(heaviest, member.isMany ? 0 : weight)
    }
    demands.push({ weight, demand: demandOf(member, request, now) })
  }
  const level = fairLevel(limit, demands)
  const used = usedPermits(asker.window, windowMs, now)
  const hasModest = demands.some(({ weight, demand }) => demand < weight * level)
  const isRich = used + asker.want > (limit * asker.weight) / activeWeight
  // He would have as much if one more came, as heavy as the heaviest who is there.
  const isModest = used + asker.want <= (limit * asker.weight) / (activeWeight + heaviest)
  const share = asker.weight * level - used
  // What is free bounds the sum, and a fraction of a permit serves nobody: it is rounded up, unless
  // that takes the last one from somebody who wants less.
  const ofShare = isRich && hasModest ? Math.floor(share + ROUNDING) : Math.ceil(share - ROUNDING)
  const { bucket, current } = advance(request.total, windowMs, now)
  const ahead = 1 - elapsed(bucket, windowMs, now)
  const kept = Math.floor((limit * ahead * heaviest) / (activeWeight + heaviest))
  const open = isModest ? limit : limit - kept - current
  const free = limit - usedPermits(request.total, windowMs, now) - (isRich ? spareOf(limit) : 0)
  return Math.max(0, Math.floor(Math.min(ofShare, open, free)))
}

/**
 * What a member wants of a window: everything if it was refused, what is still counted if it has
 * left, else what the whole window brings at its pace since it came. Without that, those who ask
 * much would empty a fresh window before those who ask evenly are through it. Its use is that of
 * the moment when it asked last: it sinks until it asks again, and who asks just before that must
 * not have what it is about to want.
 */
function demandOf(member: MemberState, request: ShareRequest, now: number): number {
  const { limit, windowMs, hungryMs, asker } = request
  const { window, want, askedAt, hungryAt, granted, since } = member
  if (hasLeft(member, request, now)) return usedPermits(window, windowMs, now)
  if ((granted === 0 && member !== asker) || isLately(hungryAt, hungryMs, now)) return limit
  const used = usedPermits(window, windowMs, askedAt)
  // What it got last is for the time that comes; who came once may do so again as soon as now.
  const spent = used - granted
  const [count, until] = spent > 0 ? [spent, askedAt] : [used, now]
  const forMs = Math.max(until - since, windowMs * SHORTEST_PACE)
  const ofPace = forMs < windowMs ? (count * windowMs) / forMs : 0
  return Math.max(ofPace, member === asker ? used + want : used)
}

/**
 * Whether somebody asks no more: he was silent for three times as long as he takes between two
 * questions, and for no less than `activeMs`; or for a whole window.
 */
function hasLeft(member: MemberState, request: ShareRequest, now: number): boolean {
  const { windowMs, activeMs } = request
  const { window, want, askedAt } = member
  if (isLately(askedAt, activeMs, now)) return false
  const used = usedPermits(window, windowMs, askedAt)
  const betweenMs = used > 0 ? (windowMs * Math.max(1, want)) / used : windowMs
  return !isLately(askedAt, Math.min(windowMs, QUESTIONS_MISSED * betweenMs), now)
}

/** Also where the clock has gone back since. */
function isLately(at: number, ms: number, now: number): boolean {
  return at > 0 && now - at < ms && at - now < ms
}

const QUESTIONS_MISSED = 3

/** A pace is not told from less than such a part of the window. */
const SHORTEST_PACE = 0.01

/** The last hundredth is for those who have less than an equal share: they need not wait for it. */
function spareOf(limit: number): number {
  return Math.floor(limit / 100)
}

/** A share that is reached but for the rounding of its sum is reached. */
const ROUNDING = 1e-6
