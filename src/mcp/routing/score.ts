import type { Health } from '../../registry/index.ts'
import type { BreakerPhase } from '../../resilience/index.ts'

/** A server that could take a call, and what is known of it. */
export interface Candidate {
  /** Its path: no two candidates have the same. */
  readonly server: string
  readonly health: Health
  /** The best of its endpoints'. */
  readonly breaker: BreakerPhase
  /** Undefined where nobody has measured it. */
  readonly latencyMs: number | undefined
  /** Of its endpoints together: how much its owner says it can take. */
  readonly weight: number
  /** Epoch ms. */
  readonly registeredAt: number
}

/** What sets a candidate apart from the one it is compared with, by the first rule that does. */
export type Reason =
  | 'only_one'
  | 'availability'
  | 'preference'
  | 'score'
  | 'weight'
  | 'registered_first'
  | 'name'

/** A candidate in its place. */
export type Ranked<T extends Candidate = Candidate> = T & {
  /** 0 to 100: twenties say how available it is, what is above them how fast. */
  readonly score: number
  /** Of the first: what put it before the second. Of any other: what put it behind the first. */
  readonly reason: Reason
}

/** Whether to send there at all, best last: nothing else is looked at across these. */
const TIERS = ['open', 'unhealthy', 'half_open', 'unknown', 'healthy'] as const
const POINTS_PER_TIER = 20
/** Slower than this says no more; faster than `FASTEST_MS` is as good as can be noticed. */
const FASTEST_MS = 25
const MAX_BAND = 10
/** What nobody knows is neither good nor bad. */
const UNKNOWN = 0.5

/**
 * All candidates, best first: by availability, then by the caller's preference, then by score, and
 * where that is the same by weight, age and name. A total order of its arguments alone: chance and
 * the order of the candidates have no part in it.
 */
export function rank<T extends Candidate>(
  candidates: readonly T[],
  prefer: readonly string[] = [],
): Ranked<T>[] {
  const ordered = candidates
    .map((candidate) => placeOf(candidate, prefer))
    .sort((a, b) => compare(a, b).order)
  return ordered.map((placed, index) => ({
    ...placed.candidate,
    score: placed.score,
    reason: reasonOf(ordered, index),
  }))
}

interface Placed<T extends Candidate = Candidate> {
  readonly candidate: T
  readonly tier: number
  /** Place among the caller's preferred ones. */
  readonly preference: number
  readonly score: number
}

function placeOf<T extends Candidate>(candidate: T, prefer: readonly string[]): Placed<T> {
  const tier = tierOf(candidate)
  const preferred = prefer.indexOf(candidate.server)
  const points = Math.floor(speed(candidate) * POINTS_PER_TIER)
  return {
    candidate,
    tier,
    preference: preferred < 0 ? prefer.length : preferred,
    score: tier * POINTS_PER_TIER + points,
  }
}

function tierOf({ health, breaker }: Candidate): number {
  if (breaker === 'open') return TIERS.indexOf('open')
  const isTrying = breaker === 'half_open' && health !== 'unhealthy'
  return TIERS.indexOf(isTrying ? 'half_open' : health)
}

/** 0 to 1. */
function speed({ latencyMs }: Candidate): number {
  return latencyMs === undefined ? UNKNOWN : 1 - bandOf(latencyMs) / MAX_BAND
}

/** Within a factor of two latencies are alike: two servers do not take turns for a millisecond. */
function bandOf(latencyMs: number): number {
  if (!(latencyMs > FASTEST_MS)) return 0
  return Math.min(MAX_BAND, Math.ceil(Math.log2(latencyMs / FASTEST_MS)))
}

function compare(a: Placed, b: Placed): { readonly order: number; readonly reason: Reason } {
  const [one, other] = [a.candidate, b.candidate]
  const by: readonly (readonly [Reason, number])[] = [
    ['availability', b.tier - a.tier],
    ['preference', a.preference - b.preference],
    ['score', b.score - a.score],
    ['weight', other.weight - one.weight],
    ['registered_first', one.registeredAt - other.registeredAt],
    ['name', one.server < other.server ? -1 : one.server > other.server ? 1 : 0],
  ]
  const [reason, order] = by.find(([, difference]) => difference !== 0) ?? (['name', 0] as const)
  return { order, reason }
}

function reasonOf(ordered: readonly Placed[], index: number): Reason {
  const [first, second] = ordered
  const own = ordered[index]
  if (!first || !second || !own) return 'only_one'
  return compare(first, index === 0 ? second : own).reason
}
