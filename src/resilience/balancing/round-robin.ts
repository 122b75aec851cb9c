import type { Balancer } from './candidate.ts'
import { bound } from './rotation.ts'

/**
 * Each endpoint in turn, whatever its weight: the one whose last turn is longest ago. An endpoint
 * that comes back gets one turn, not all those it missed. The first is chosen by chance, or all
 * isolates would begin with the same.
 */
export const roundRobin: Balancer = (eligible, { random, rotation: { turns } }) => {
  bound(turns)
  const start = turns.size === 0 ? Math.floor(random.fraction() * eligible.length) : 0
  let picked = eligible[start] ?? eligible[0]
  let oldest = turns.get(picked.id) ?? 0
  let latest = 0
  for (const candidate of eligible) {
    const turn = turns.get(candidate.id) ?? 0
    if (turn > latest) latest = turn
    if (turn < oldest) {
      picked = candidate
      oldest = turn
    }
  }
  turns.set(picked.id, latest + 1)
  return picked
}
