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
  /** What it asked for last, and when. */
  readonly want: number
  readonly askedAt: number
  /** When it last got less than it asked for; 0 before. */
  readonly hungryAt: number
  /** When it came: its first question since it last had nothing on its window. */
  readonly since: number
}

export interface ShareRequest {
  readonly limit: number
  readonly windowMs: number
  /** Who asked longer ago wants nothing at the moment. */
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
  const { limit, windowMs, asker, activeMs } = request
  const demands: Demand[] = []
  let activeWeight = 0
  for (const member of request.members) {
    if (now - member.askedAt < activeMs) activeWeight += member.weight
    demands.push({ weight: member.weight, demand: demandOf(member, request, now) })
  }
  const level = fairLevel(limit, demands)
  const used = usedPermits(asker.window, windowMs, now)
  // Rounded up: what is free bounds the sum, and a fraction of a permit serves nobody.
  const ofShare = Math.ceil(asker.weight * level - used - ROUNDING)
  const { bucket, current } = advance(request.total, windowMs, now)
  const ahead = 1 - elapsed(bucket, windowMs, now)
  const kept = Math.floor((limit * ahead) / (activeWeight + 1))
  const isRich = used + asker.want > (limit * asker.weight) / activeWeight
  const free = limit - usedPermits(request.total, windowMs, now) - (isRich ? spareOf(limit) : 0)
  return Math.max(0, Math.floor(Math.min(ofShare, limit - kept - current, free)))
}

/**
 * What a member wants of a window: everything if it was refused lately; what it used if it asks no
 * more; else one more lease, or what the whole window brings at its pace since it came. Without
 * that, those who ask much would empty a fresh window before those who ask evenly are through it.
 */
function demandOf(member: MemberState, request: ShareRequest, now: number): number {
  const { limit, windowMs, activeMs, hungryMs } = request
  const { window, want, askedAt, hungryAt, since } = member
  if (now - hungryAt < hungryMs) return limit
  const used = usedPermits(window, windowMs, now)
  if (now - askedAt >= activeMs) return used
  const forMs = Math.max(now - since, windowMs * SHORTEST_PACE)
  return Math.max(used + want, (used * windowMs) / Math.min(windowMs, forMs))
}

/** A pace is not told from less than such a part of the window. */
const SHORTEST_PACE = 0.05

/** The last hundredth is for those who have less than an equal share: they need not wait for it. */
function spareOf(limit: number): number {
  return Math.floor(limit / 100)
}

/** A share that is reached but for the rounding of its sum is reached. */
const ROUNDING = 1e-6
