import { verdictLines } from '../chaos/report.ts'
import type { Verdict } from '../chaos/verdict.ts'
import type { FairnessRun } from './run.ts'
import { isFair, type Share, sharesOf, type UserTally } from './shares.ts'

/** How far from their fair share users may be. */
const TOLERANCE = 0.05

/** Judges both phases. */
export function judgeFairness({ limit, below, above }: FairnessRun): Verdict[] {
  const shares = sharesOf(above)
  return [
    {
      promise: 'below the limit everybody is served',
      judged: `${totalOf(below, 'served')} of ${totalOf(below, 'asked')} requests of ${below.length} users`,
      broken: below.filter(({ served, asked }) => served < asked).map(tallyText),
    },
    {
      promise: 'above it nothing happens but refusals by the limit',
      judged: `${totalOf(above, 'refused')} of ${totalOf(above, 'asked')} requests refused`,
      broken: above.filter(({ errors }) => errors.length > 0).map(tallyText),
    },
    {
      promise: 'greedy users are refused something',
      judged: `${shares.filter(({ isGreedy }) => isGreedy).length} greedy users`,
      broken: above.filter(({ isGreedy, refused }) => isGreedy && refused === 0).map(tallyText),
    },
    usedVerdict(above, limit),
    fairVerdict(shares, false),
    fairVerdict(shares, true),
  ]
}

/** Shares of what a tenant got say nothing of what it could have got. */
function usedVerdict(above: readonly UserTally[], limit: number): Verdict {
  const served = [...new Set(above.map(({ tenant }) => tenant))].map((tenant) => ({
    tenant,
    count: totalOf(
      above.filter((tally) => tally.tenant === tenant),
      'served',
    ),
  }))
  return {
    promise: 'tenants above it are given all of it, within 5 %',
    judged: `${Math.min(...served.map(({ count }) => count))} and more of ${limit}`,
    broken: served
      .filter(({ count }) => count < (1 - TOLERANCE) * limit)
      .map(({ tenant, count }) => `${tenant}: ${count} of ${limit}`),
  }
}

function fairVerdict(shares: readonly Share[], isGreedy: boolean): Verdict {
  const judged = shares.filter((share) => share.isGreedy === isGreedy)
  return {
    promise: `${isGreedy ? 'greedy users get' : 'whoever shares with them gets'} their fair share, within 5 %`,
    judged: rangeText(judged),
    broken: judged.filter((share) => !isFair(share, TOLERANCE)).map(shareText),
  }
}

/** Tenant by tenant, then the promises. */
export function fairnessText({ above }: FairnessRun, verdicts: readonly Verdict[]): string {
  const shares = sharesOf(above)
  const tenants = [...new Set(shares.map(({ tenant }) => tenant))]
  return [
    'Above the limit, served over fair share (smallest, mean, largest):',
    ...tenants.map((tenant) => {
      const own = shares.filter((share) => share.tenant === tenant)
      const modest = own.filter(({ isGreedy }) => !isGreedy)
      const greedy = own.filter(({ isGreedy }) => isGreedy)
      const sum = `${totalOf(own, 'served')} of ${totalOf(own, 'asked')}`
      return `  ${tenant.padEnd(10)} served ${sum.padEnd(13)} modest ${rangeText(modest)}   greedy ${rangeText(greedy)}`
    }),
    '',
    ...verdictLines(verdicts),
  ].join('\n')
}

function rangeText(shares: readonly Share[]): string {
  const ratios = shares.map(({ ratio }) => ratio)
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / Math.max(1, ratios.length)
  return [Math.min(...ratios), mean, Math.max(...ratios)].map((one) => one.toFixed(3)).join(' ')
}

function totalOf(tallies: readonly UserTally[], member: 'asked' | 'served' | 'refused'): number {
  return tallies.reduce((sum, tally) => sum + tally[member], 0)
}

function tallyText({ tenant, user, asked, served, refused, errors }: UserTally): string {
  return `${tenant} ${user}: asked ${asked}, served ${served}, refused ${refused} ${errors.join(' ')}`
}

function shareText(share: Share): string {
  return `${tallyText(share)}fair ${share.fair.toFixed(1)}, ratio ${share.ratio.toFixed(3)}`
}
