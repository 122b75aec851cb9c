import { differenceOf, type Measure, ratioOf } from './compare.ts'
import type { Findings } from './findings.ts'
import type { Sample } from './measure.ts'
import type { Estimate } from './stats.ts'

/** One promise about speed. */
export interface SpeedTarget {
  readonly id: string
  readonly says: string
  readonly bound: number
  /** Which side of the bound is good. */
  readonly wanted: 'at least' | 'at most'
  readonly unit: 'times' | 'ms' | 'requests'
  /** Undefined when the run did not measure it. */
  measure(findings: Findings): Estimate | undefined
}

/**
 * `met`: the estimate keeps the bound. `within noise`: it does not, but the 95 % interval reaches
 * the bound. `missed`: not even the interval does.
 */
export type Verdict = 'met' | 'within noise' | 'missed' | 'not measured'

export interface CheckedTarget {
  readonly target: SpeedTarget
  readonly estimate: Estimate | undefined
  readonly verdict: Verdict
}

const MODERN = ['gateway-modern', 'ceiling-modern'] as const
const LEGACY = ['gateway-legacy', 'ceiling-legacy'] as const
const SHARED = ['gateway-shared', 'ceiling-shared'] as const
const STREAM = ['gateway-stream', 'ceiling-stream'] as const

/** Fewer paired rounds than this prove nothing, and the target counts as not measured. */
const MIN_PAIRS = 7

/** What is promised: ratios to the ceiling, so that the machine falls out. */
export const SPEED_TARGETS: readonly SpeedTarget[] = [
  atLeast('modern-rate', 'requests/s of a modern call, of its ceiling, c=32', 0.8, (seen) =>
    ratio(seen, 'requestsPerSecond', MODERN, 32),
  ),
  atMost('modern-cpu', 'CPU of a modern call, of its ceiling, c=32', 1.25, (seen) =>
    ratio(seen, 'cpuMicrosPerRequest', MODERN, 32),
  ),
  atLeast('legacy-rate', 'requests/s in a legacy session, of its ceiling, c=32', 0.75, (seen) =>
    ratio(seen, 'requestsPerSecond', LEGACY, 32),
  ),
  atLeast('shared-rate', 'requests/s at /mcp with 20 servers, of its ceiling, c=32', 0.7, (seen) =>
    ratio(seen, 'requestsPerSecond', SHARED, 32),
  ),
  {
    ...atMost('added-p50', 'p50 added to a modern call by the gateway, c=1', 0.15, ({ samples }) =>
      differenceOf(samples, 'p50Ms', { target: MODERN[0], with: MODERN[1], concurrency: 1 }),
    ),
    unit: 'ms',
  },
  atMost('first-event', 'time to the first event, of its ceiling, c=1', 1.15, (seen) =>
    ratio(seen, 'firstEventP50Ms', STREAM, 1),
  ),
  atLeast(
    'cached-list',
    'a cold tools/list of 50 servers, of a cached one',
    20,
    ({ lists }) => lists?.find(({ servers }) => servers === 50)?.coldOverCached,
  ),
  {
    ...atMost('cached-list-fetches', 'upstream requests of cached lists', 0, ({ lists }) =>
      counted(lists?.map(({ cachedUpstreamRequests }) => cachedUpstreamRequests)),
    ),
    unit: 'requests',
  },
  atMost(
    'registered-cost',
    'cost of a call with 10,000 servers, of that with 10',
    1.1,
    (seen) => seen.scale?.registered?.find(({ count }) => count === 10_000)?.costRatio,
  ),
]

/** Judges each target. Pure. */
export function checkTargets(findings: Findings): CheckedTarget[] {
  return SPEED_TARGETS.map((target) => {
    const estimate = target.measure(findings)
    return { target, estimate, verdict: verdictOf(target, estimate) }
  })
}

/** Why a check fails, in a line; undefined when it judged what was measured, and none is missed. */
export function checkProblem(checked: readonly CheckedTarget[]): string | undefined {
  const problems = [
    { says: 'missed', of: checked.filter(({ verdict }) => verdict === 'missed') },
    {
      says: `fewer than ${MIN_PAIRS} paired rounds`,
      of: checked.filter(({ estimate }) => estimate && estimate.pairs < MIN_PAIRS),
    },
  ].filter(({ of }) => of.length > 0)
  if (problems.length > 0) {
    return problems
      .map(({ says, of }) => `${says}: ${of.map(({ target }) => target.id).join(', ')}`)
      .join('; ')
  }
  const isJudged = checked.some(({ verdict }) => verdict !== 'not measured')
  return isJudged ? undefined : 'no target was judged: the run measured none of their rows'
}

/** @see Verdict */
export function verdictOf(
  { bound, wanted }: Pick<SpeedTarget, 'bound' | 'wanted'>,
  estimate: Estimate | undefined,
): Verdict {
  if (estimate === undefined || estimate.pairs < MIN_PAIRS) return 'not measured'
  const keeps = (value: number) => (wanted === 'at least' ? value >= bound : value <= bound)
  if (keeps(estimate.value)) return 'met'
  return keeps(wanted === 'at least' ? estimate.high : estimate.low) ? 'within noise' : 'missed'
}

type Finder = SpeedTarget['measure']

function atLeast(id: string, says: string, bound: number, measure: Finder): SpeedTarget {
  return { id, says, bound, wanted: 'at least', unit: 'times', measure }
}

function atMost(id: string, says: string, bound: number, measure: Finder): SpeedTarget {
  return { id, says, bound, wanted: 'at most', unit: 'times', measure }
}

function ratio(
  { samples }: { readonly samples: readonly Sample[] },
  measure: Measure,
  [target, ceiling]: readonly [string, string],
  concurrency: number,
): Estimate | undefined {
  return ratioOf(samples, measure, { target, with: ceiling, concurrency })
}

/** A count has no spread: one more is one too many. */
function counted(counts: readonly number[] | undefined): Estimate | undefined {
  if (counts === undefined) return undefined
  const value = counts.reduce((sum, count) => sum + count, 0)
  return { value, low: value, high: value, pairs: MIN_PAIRS }
}
