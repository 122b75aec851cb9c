import type { EndpointId, Random } from '../../core/index.ts'
import type { Health } from '../health.ts'
import type { Load } from '../load.ts'
import type { Rotation } from './rotation.ts'

/** An endpoint that a call could go to. */
export interface Candidate {
  readonly id: EndpointId
  /** Relative share of the calls; 0 gets calls only when nobody has more. */
  readonly weight: number
  readonly health: Health
}

/** All that an algorithm may go by; it keeps nothing itself. */
export interface Picking {
  /** Epoch ms. */
  readonly now: number
  readonly random: Pick<Random, 'fraction'>
  readonly load: Pick<Load, 'inFlight' | 'latencyMs'>
  /** Of this server; written by the algorithms that take turns. */
  readonly rotation: Rotation
  /** What is kept together; absent for a call that belongs to nobody. */
  readonly key?: (() => string) | undefined
}

/**
 * An algorithm: picks one of at least one endpoint that may be called. Weights are all above 0, or
 * all 0.
 */
export type Balancer = <T extends Candidate>(eligible: readonly [T, ...T[]], picking: Picking) => T

/** The weight that counts; without any weight all are alike. */
export function shareOf({ weight }: Pick<Candidate, 'weight'>): number {
  return weight > 0 ? weight : 1
}

/** The sum of the shares. */
export function sharesOf(eligible: readonly Pick<Candidate, 'weight'>[]): number {
  let sum = 0
  for (const candidate of eligible) sum += shareOf(candidate)
  return sum
}
