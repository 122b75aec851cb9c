/** A mean in which what was measured a half-life ago counts half. Plain data. */
export interface Decayed {
  readonly value: number
  /** Of the last measurement, epoch ms. */
  readonly at: number
}

/** Two measurements at one instant (time stands still between I/O) are taken to be so far apart. */
const MIN_STEP_MS = 10

/** The mean with one more measurement. */
export function measured(
  mean: Decayed | undefined,
  value: number,
  halfLifeMs: number,
  now: number,
): Decayed {
  if (mean === undefined) return { value, at: now }
  const old = 0.5 ** (Math.max(MIN_STEP_MS, now - mean.at) / halfLifeMs)
  return { value: mean.value * old + value * (1 - old), at: now }
}

/** What it counts for now: it fades while nothing is measured, so that what was slow is tried again. */
export function fadedValue({ value, at }: Decayed, halfLifeMs: number, now: number): number {
  return value * 0.5 ** (Math.max(0, now - at) / halfLifeMs)
}
