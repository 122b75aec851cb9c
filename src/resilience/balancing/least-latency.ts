import { type Balancer, type Candidate, type Picking, shareOf } from './candidate.ts'
import { random } from './random.ts'

/**
 * The better of two that chance picks by weight: the one where a call would be answered first, which
 * is its latency (decayed, see `Load`) times the calls that would be in flight, for its weight. Two
 * and not all, so that isolates which know the same do not all run to the same endpoint. One whose
 * latency nobody knows is taken to be as fast as the other: so it gets tried.
 */
export const leastLatency: Balancer = (eligible, picking) => {
  const one = random(eligible, picking)
  const [first, ...others] = eligible.filter(({ id }) => id !== one.id)
  if (first === undefined) return one
  const other = random([first, ...others], picking)
  const { load, now } = picking
  const latencies = [one, other].map(({ id }) => load.latencyMs(id, now))
  const [ofOne, ofOther] = latencies.includes(undefined) ? [] : latencies
  return costOf(other, ofOther, picking) < costOf(one, ofOne, picking) ? other : one
}

/** Below it a difference says nothing. */
const MIN_LATENCY_MS = 1

function costOf(candidate: Candidate, latencyMs = 0, { load, now }: Picking): number {
  const waiting = load.inFlight(candidate.id, now) + 1
  return (Math.max(MIN_LATENCY_MS, latencyMs) * waiting) / shareOf(candidate)
}
