import type { Random } from '../../core/index.ts'
import type { BreakerPhase } from '../breaker.ts'
import type { Health } from '../health.ts'

/** An endpoint that a call could go to. */
export interface Candidate {
  /** Relative share of the calls; 0 gets calls only when nobody has more. */
  readonly weight: number
  readonly health: Health
  readonly breaker: BreakerPhase
}

/** An algorithm: picks one of at least one endpoint that may be called. */
export type Balancer = <T extends Candidate>(
  eligible: readonly [T, ...T[]],
  random: Pick<Random, 'fraction'>,
) => T
