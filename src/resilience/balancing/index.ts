import type { EndpointId } from '../../core/index.ts'
import type { BreakerPhase } from '../breaker.ts'
import type { BALANCER_NAMES } from '../settings.ts'
import type { Balancer, Candidate, Picking } from './candidate.ts'
import { consistentHash } from './consistent-hash.ts'
import { leastConnections } from './least-connections.ts'
import { leastLatency } from './least-latency.ts'
import { random } from './random.ts'
import { roundRobin } from './round-robin.ts'
import { weighted } from './weighted.ts'

export type { Candidate, Picking } from './candidate.ts'
export { createRotations, type Rotations } from './rotation.ts'

export type BalancerName = (typeof BALANCER_NAMES)[number]

/** Every algorithm. Adding one is a file, a row and a name; the contract suite runs over the table. */
export const BALANCERS = {
  'round-robin': roundRobin,
  weighted,
  'least-connections': leastConnections,
  random,
  'consistent-hash': consistentHash,
  'least-latency': leastLatency,
} as const satisfies Record<BalancerName, Balancer>

export const DEFAULT_BALANCER: BalancerName = 'weighted'

/** The phase of an endpoint's breaker now. */
type PhaseOf = (endpoint: EndpointId) => BreakerPhase

/**
 * Picks the endpoint of a call among those whose breaker is not open, first those not known to be
 * unhealthy, of these those that have a weight; undefined when every breaker is open. When all are
 * unhealthy they are tried anyway (panic mode): that every probe fails says less than that calls do
 * not. A half-open endpoint competes too, or it would never recover; when it has no probe left,
 * `chooseEndpoint` picks again.
 */
export function pickEndpoint<T extends Candidate>(
  name: BalancerName,
  candidates: readonly T[],
  phaseOf: PhaseOf,
  picking: Picking,
): T | undefined {
  let best = 0
  let eligible: T[] = []
  for (const candidate of candidates) {
    if (phaseOf(candidate.id) === 'open') continue
    const rank = rankOf(candidate)
    if (rank < best) continue
    if (rank > best) {
      best = rank
      eligible = []
    }
    eligible.push(candidate)
  }
  const [first, ...others] = eligible
  if (first === undefined || others.length === 0) return first
  return BALANCERS[name]([first, ...others], picking)
}

/** Of endpoints that may be called, only those of the highest rank are. */
function rankOf({ health, weight }: Candidate): number {
  return (health === 'unhealthy' ? 0 : 2) + (weight > 0 ? 1 : 0)
}
