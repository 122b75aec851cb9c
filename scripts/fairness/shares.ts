/**
 * Max-min fair shares: nobody gets more than they ask for, and what is left when those who ask for
 * little are served is divided equally among the rest. In the order of `demands`.
 */
export function fairShares(demands: readonly number[], capacity: number): number[] {
  const shares = demands.map(() => 0)
  const byDemand = demands
    .map((demand, index) => ({ demand, index }))
    .toSorted((one, other) => one.demand - other.demand)
  let left = capacity
  for (const [rank, { demand, index }] of byDemand.entries()) {
    const share = Math.min(demand, left / (byDemand.length - rank))
    shares[index] = share
    left -= share
  }
  return shares
}

/** One user's part of a phase. */
export interface UserTally {
  readonly tenant: string
  readonly user: string
  readonly isGreedy: boolean
  readonly asked: number
  readonly served: number
  /** Refused by a limit. */
  readonly refused: number
  /** Anything else: the first few, in words. */
  readonly errors: readonly string[]
}

export interface Share extends UserTally {
  /** Of what its tenant got, if that is divided fairly. */
  readonly fair: number
  /** `served` over `fair`. */
  readonly ratio: number
}

/** What everybody got, beside the fair share of what their tenant got in all. */
export function sharesOf(tallies: readonly UserTally[]): Share[] {
  const tenants = [...new Set(tallies.map(({ tenant }) => tenant))]
  return tenants.flatMap((tenant) => {
    const own = tallies.filter((tally) => tally.tenant === tenant)
    const capacity = own.reduce((sum, { served }) => sum + served, 0)
    const fair = fairShares(
      own.map(({ asked }) => asked),
      capacity,
    )
    return own.map((tally, index) => {
      const share = fair[index] ?? 0
      return { ...tally, fair: share, ratio: share === 0 ? 1 : tally.served / share }
    })
  })
}

/** Whether a share is fair enough; a single request more or less is never unfair. */
export function isFair({ served, fair }: Share, tolerance: number): boolean {
  return Math.abs(served - fair) <= Math.max(1, tolerance * fair)
}
