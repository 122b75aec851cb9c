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
 * its fair share of what all want (`demandsOf`), and never all that a newcomer would need. So a newcomer finds at once what his share gives until the bucket ends, and
 * from then on what slides out (docs/decisions/0013-fair-shares.md).
 */
export function fairRoom(request: ShareRequest, now: number): number {
  const { limit, windowMs, asker } = request
  const all = presentOf(request, now)
  const { activeWeight, heaviest } = all
  const demands = demandsOf(request, all, now)
  const level = fairLevel(limit, demands)
  const used = usedPermits(asker.window, windowMs, now)
  const isRich = used + asker.want > (limit * asker.weight) / activeWeight
  // He would have as much if one more came, as heavy as the heaviest who is there.
  const isModest = used + asker.want <= (limit * asker.weight) / (activeWeight + heaviest)
  const share = asker.weight * level - used
  // What is free bounds the sum, and a fraction of a permit serves nobody: it is rounded up, unless
  // that takes the last one from somebody who wants less.
  const hasModest = demands.some(({ weight, demand }) => demand < weight * level)
  const ofShare = isRich && hasModest ? Math.floor(share + ROUNDING) : Math.ceil(share - ROUNDING)
  const { bucket, current } = advance(request.total, windowMs, now)
  const ahead = 1 - elapsed(bucket, windowMs, now)
  const kept = Math.floor((limit * ahead * heaviest) / (activeWeight + heaviest))
  const open = isModest ? limit : limit - kept - current
  const free = limit - usedPermits(request.total, windowMs, now) - (isRich ? spareOf(limit) : 0)
  return Math.max(0, Math.floor(Math.min(ofShare, open, free)))
}

interface Present {
  readonly members: readonly { readonly member: MemberState; readonly isGone: boolean }[]
  /** Of those who have not left. */
  readonly activeWeight: number
  readonly heaviest: number
}

function presentOf(request: ShareRequest, now: number): Present {
  let activeWeight = 0
  let heaviest = 0
  const members = Array.from(request.members, (member) => {
    const isGone = hasLeft(member, request, now)
    if (!isGone) {
      activeWeight += member.weight
      heaviest = Math.max(heaviest, member.isMany ? 0 : member.weight)
    }
    return { member, isGone }
  })
  return { members, activeWeight, heaviest }
}

/**
 * What each wants of a window: everything if he was refused, what is still counted if he has left,
 * else what he had on his window when he asked last, and what he is expected to ask besides. His
 * use is that of then since it sinks until he asks again, and who asks just before that must not
 * have what he is about to want.
 *
 * What is expected of all together is what those in their first window have used, taken on to a
 * whole one, or what one newcomer would have, if that is more: without it those who ask much would
 * empty a fresh window before those who ask evenly are through it, and with more than it a crowd of
 * whom each comes once would keep for itself what it never asks.
 */
function demandsOf(request: ShareRequest, all: Present, now: number): Demand[] {
  const { limit, windowMs, hungryMs, asker } = request
  const { activeWeight, heaviest } = all
  let expected = 0
  /** Of those who are in their first window. */
  let usedByNew = 0
  let usedForMs = 0
  const wanted = all.members.map(({ member, isGone }) => {
    const { window, weight, want, askedAt, hungryAt, granted } = member
    if (isGone) return { weight, demand: usedPermits(window, windowMs, now), more: 0 }
    if (member === asker) {
      return { weight, demand: usedPermits(window, windowMs, now) + want, more: 0 }
    }
    if (granted === 0 || isLately(hungryAt, hungryMs, now)) {
      return { weight, demand: limit, more: 0 }
    }
    const used = usedPermits(window, windowMs, askedAt)
    const ofShare = Math.min(paceOf(member, used, windowMs, now), (limit * weight) / activeWeight)
    const more = Math.max(0, ofShare - used)
    expected += more
    const forMs = firstMs(member, windowMs, now)
    if (forMs < windowMs) {
      usedByNew += used
      usedForMs += used * forMs
    }
    return { weight, demand: used, more }
  })
  const ofAll = usedByNew > 0 ? usedByNew * ((windowMs * usedByNew) / usedForMs - 1) : 0
  const believed = Math.max(ofAll, (limit * heaviest) / (activeWeight + heaviest))
  const part = expected > believed ? believed / expected : 1
  return wanted.map(({ weight, demand, more }) => ({ weight, demand: demand + more * part }))
}

/** What a window brings at the pace of a member since he came, in the first window that he is there. */
function paceOf(
  { askedAt, granted, since }: MemberState,
  used: number,
  windowMs: number,
  now: number,
): number {
  const askedMs = firstMs({ since }, windowMs, askedAt)
  if (askedMs >= windowMs) return 0
  const ofSilence = (used * windowMs) / firstMs({ since }, windowMs, now)
  // What it got last is for the time that comes; who came once may do so again as soon as now.
  const spent = used - granted
  return spent > 0 ? Math.min(ofSilence, (spent * windowMs) / askedMs) : ofSilence
}

function firstMs({ since }: Pick<MemberState, 'since'>, windowMs: number, at: number): number {
  return Math.max(at - since, windowMs * SHORTEST_PACE)
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
