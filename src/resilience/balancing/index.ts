import type { Random } from '../../core/index.ts'
import type { Balancer, Candidate } from './candidate.ts'
import { weightedRandom } from './weighted-random.ts'

export type { Candidate } from './candidate.ts'

/** Every algorithm. Adding one is a file and a row; the contract suite runs over the table. */
export const BALANCERS = {
  'weighted-random': weightedRandom,
} as const satisfies Record<string, Balancer>

export type BalancerName = keyof typeof BALANCERS

/**
 * Picks the endpoint of a call among those whose breaker is not open, first those not known to be
 * unhealthy; undefined when every breaker is open. When all are unhealthy they are tried anyway
 * (panic mode): that every probe fails says less than that calls do not. A half-open endpoint
 * competes too, or it would never recover; when it has no probe left, `chooseEndpoint` picks again.
 */
export function pickEndpoint<T extends Candidate>(
  name: BalancerName,
  candidates: readonly T[],
  random: Pick<Random, 'fraction'>,
): T | undefined {
  const callable = candidates.filter(({ breaker }) => breaker !== 'open')
  const good = callable.filter(({ health }) => health !== 'unhealthy')
  const [first, ...rest] = good.length > 0 ? good : callable
  return first === undefined ? undefined : BALANCERS[name]([first, ...rest], random)
}
