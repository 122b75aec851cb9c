import { type Balancer, shareOf, sharesOf } from './candidate.ts'

/** By chance, each endpoint in proportion to its weight. */
export const random: Balancer = (eligible, { random: chance }) => {
  let left = chance.fraction() * sharesOf(eligible)
  for (const candidate of eligible) {
    left -= shareOf(candidate)
    if (left < 0) return candidate
  }
  return eligible[0]
}
