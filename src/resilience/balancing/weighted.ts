import { type Balancer, type Candidate, type Picking, shareOf, sharesOf } from './candidate.ts'
import { bound } from './rotation.ts'

/**
 * Smooth weighted round-robin, as nginx does it: every call owes each endpoint its weight, the one
 * that is owed most is picked and has paid for all. Within as many calls as the weights sum up to
 * each gets exactly its weight, spread out evenly.
 */
export const weighted: Balancer = (eligible, picking) => {
  const { owed } = picking.rotation
  bound(owed)
  if (owed.size === 0) begin(eligible, picking)
  return turn(eligible, owed)
}

/** A first run of so many turns at most; of a longer round that is a part. */
const MAX_BEGINNING = 256

/** Somewhere in the round, or all isolates would begin with the heaviest. */
function begin(eligible: readonly [Candidate, ...Candidate[]], { random, rotation }: Picking) {
  const within = Math.min(sharesOf(eligible), MAX_BEGINNING)
  for (let left = Math.floor(random.fraction() * within); left > 0; left -= 1) {
    turn(eligible, rotation.owed)
  }
}

function turn<T extends Candidate>(
  eligible: readonly [T, ...T[]],
  owed: Map<Candidate['id'], number>,
): T {
  let picked = eligible[0]
  let most = Number.NEGATIVE_INFINITY
  let sum = 0
  for (const candidate of eligible) {
    const share = shareOf(candidate)
    const due = (owed.get(candidate.id) ?? 0) + share
    owed.set(candidate.id, due)
    sum += share
    if (due > most) {
      picked = candidate
      most = due
    }
  }
  owed.set(picked.id, most - sum)
  return picked
}
