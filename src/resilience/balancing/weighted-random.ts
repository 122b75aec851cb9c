import type { Balancer } from './candidate.ts'

/** Each endpoint in proportion to its weight; without any weight all alike. */
export const weightedRandom: Balancer = (eligible, random) => {
  const total = eligible.reduce((sum, { weight }) => sum + weight, 0)
  const weightOf = ({ weight }: { weight: number }): number => (total > 0 ? weight : 1)
  let left = random.fraction() * (total > 0 ? total : eligible.length)
  for (const candidate of eligible) {
    left -= weightOf(candidate)
    if (left < 0) return candidate
  }
  return eligible[0]
}
