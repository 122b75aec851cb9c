import { fnv1a } from '../../core/index.ts'
import { type Balancer, type Candidate, shareOf, sharesOf } from './candidate.ts'

/**
 * How far above its fair share of the calls in flight an endpoint may be before its keys spill over.
 * Less would move keys with every wave, more lets one endpoint run hot.
 */
export const EPSILON = 0.25

/**
 * One key always goes to one endpoint: by weighted rendezvous hashing, each endpoint draws a number
 * from the key and its own id, and the best number wins. When an endpoint leaves, only its own keys
 * move, each to the endpoint that was second for it; a changed weight moves no more than its
 * difference. A hash ring would need hundreds of points per endpoint to honour weights as well, kept
 * for every server; of the 10 endpoints that a server has, asking all is cheaper.
 *
 * Bounded load (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with Bounded Loads): who already
 * has `1 + EPSILON` of its fair share of the calls in flight is passed over for the next best.
 */
export const consistentHash: Balancer = (eligible, { key, load, now, random }) => {
  // A call of nobody is spread as if everybody had made it.
  const hash = mix(fnv1a(key ? key() : String(random.fraction())))
  const shares = sharesOf(eligible)
  let total = 1
  for (const { id } of eligible) total += load.inFlight(id, now)
  let picked: (typeof eligible)[number] | undefined
  let best = Number.POSITIVE_INFINITY
  for (const candidate of eligible) {
    const drawn = draw(hash, candidate)
    if (drawn >= best) continue
    if (load.inFlight(candidate.id, now) >= capacityOf(candidate, total, shares)) continue
    picked = candidate
    best = drawn
  }
  // Somebody always has room: the capacities sum up to more than there is.
  return picked ?? eligible[0]
}

/** Calls that an endpoint may have in flight, of `total` at all of them. */
export function capacityOf(
  candidate: Pick<Candidate, 'weight'>,
  total: number,
  shares: number,
): number {
  const fair = (total * shareOf(candidate)) / shares
  return Math.ceil((1 + EPSILON) * fair - ROUNDING)
}

/** What floating point may add to a whole number. */
const ROUNDING = 1e-9

/** Exponentially distributed with the share as its rate: the least of all is by weight. */
function draw(hash: number, candidate: Candidate): number {
  const uniform = (mix(hash ^ mix(fnv1a(candidate.id))) + 0.5) / 2 ** 32
  return -Math.log(uniform) / shareOf(candidate)
}

/** The finalizer of MurmurHash3: FNV alone leaves similar names with similar high bits. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
