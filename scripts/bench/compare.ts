import type { Sample } from './measure.ts'
import { type Estimate, type Pair, pairedDifference, pairedRatio } from './stats.ts'

/** Two targets at one concurrency, round by round. Pure. */
export interface Comparison {
  readonly target: string
  readonly with: string
  readonly concurrency: number
}

/** The members of a sample that are numbers and may be missing. */
export type Measure =
  | 'requestsPerSecond'
  | 'p50Ms'
  | 'firstEventP50Ms'
  | 'cpuMicrosPerRequest'
  | 'residentMiB'

/** Undefined when either was not measured. */
export function ratioOf(
  samples: readonly Sample[],
  measure: Measure,
  comparison: Comparison,
): Estimate | undefined {
  const pairs = pairsOf(samples, measure, comparison)
  return pairs.length === 0 ? undefined : pairedRatio(pairs)
}

/** Undefined when either was not measured. */
export function differenceOf(
  samples: readonly Sample[],
  measure: Measure,
  comparison: Comparison,
): Estimate | undefined {
  const pairs = pairsOf(samples, measure, comparison)
  return pairs.length === 0 ? undefined : pairedDifference(pairs)
}

function pairsOf(samples: readonly Sample[], measure: Measure, comparison: Comparison): Pair[] {
  const valueIn = (target: string, round: number) =>
    samples.find(
      (one) =>
        one.target === target && one.concurrency === comparison.concurrency && one.round === round,
    )?.[measure]
  const rounds = [...new Set(samples.map(({ round }) => round))]
  return rounds.flatMap((round): Pair[] => {
    const value = valueIn(comparison.target, round)
    const partner = valueIn(comparison.with, round)
    return value === undefined || partner === undefined ? [] : [[value, partner]]
  })
}
