/** Medians, and intervals of what is compared in pairs. Pure. */

/** An estimate with the 95 % interval of the mean of its pairs. */
export interface Estimate {
  /** Median over the pairs. */
  readonly value: number
  readonly low: number
  readonly high: number
  readonly pairs: number
}

/** Nearest rank of ascending values; 0 when there are none. */
export function percentile(sorted: ArrayLike<number>, fraction: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)] ?? 0
}

/** The middle value, or the mean of the two in the middle; NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/**
 * How many times its partner a value is. A t-interval on the logarithms: ratios multiply, and halving
 * counts as much as doubling. Values are positive.
 */
export function pairedRatio(pairs: readonly Pair[]): Estimate {
  const logs = pairs.map(([value, partner]) => Math.log(value / partner))
  const { low, high } = tInterval(logs)
  const value = median(pairs.map(([one, partner]) => one / partner))
  return { value, low: Math.exp(low), high: Math.exp(high), pairs: pairs.length }
}

/** How much more than its partner a value is. */
export function pairedDifference(pairs: readonly Pair[]): Estimate {
  const differences = pairs.map(([value, partner]) => value - partner)
  return { value: median(differences), ...tInterval(differences), pairs: pairs.length }
}

/** Measured in the same round. */
export type Pair = readonly [value: number, partner: number]

/** Two-sided 95 % points of Student's t by degrees of freedom, from 1. */
const T_95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
  2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048,
  2.045, 2.042,
]
/** Beyond the table: a little too wide. */
const T_95_MANY = 2.042

/** Everything when there are fewer than two values: one says nothing of its own spread. */
function tInterval(values: readonly number[]): { low: number; high: number } {
  const count = values.length
  if (count < 2) return { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const error = Math.sqrt(squares / (count - 1) / count)
  const half = (T_95[count - 2] ?? T_95_MANY) * error
  return { low: mean - half, high: mean + half }
}
