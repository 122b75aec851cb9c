import { type Balancer, shareOf } from './candidate.ts'
import { weighted } from './weighted.ts'

/**
 * The endpoint with the fewest calls in flight for its weight. Among equals, as when all are idle,
 * turns are taken by weight.
 */
export const leastConnections: Balancer = (eligible, picking) => {
  const { load, now } = picking
  let [least] = eligible
  let fewest = load.inFlight(least.id, now)
  let equals = [least]
  for (const candidate of eligible.slice(1)) {
    const inFlight = load.inFlight(candidate.id, now)
    // Products instead of quotients: exact, as all are whole numbers.
    const less = inFlight * shareOf(least) - fewest * shareOf(candidate)
    if (less > 0) continue
    if (less === 0) {
      equals.push(candidate)
    } else {
      least = candidate
      fewest = inFlight
      equals = [candidate]
    }
  }
  const [first, ...others] = equals
  return first === undefined || others.length === 0 ? least : weighted([first, ...others], picking)
}
