/**
 * What may be sent a second time: a share of a server's calls, so that retries and second copies
 * cannot multiply the load of a server that fails. Pure; kept per server and isolate.
 */

/** Plain numbers, in hundredths of a retry. */
export interface RetryBudget {
  readonly credit: number
  /** When the floor was last filled up, epoch ms. */
  readonly filledAt: number
}

const ONE = 100
/** Retries that a server may have whose calls are rare, and that come back by themselves. */
export const FLOOR_RETRIES = 5
/** Until one retry of the floor has come back. */
export const FLOOR_MS_PER_RETRY = 10_000
/** The most that calls can save up for a bad moment. */
export const MAX_SAVED_RETRIES = 50

/** Of a server that was not called yet. */
export function newBudget(now: number): RetryBudget {
  return { credit: FLOOR_RETRIES * ONE, filledAt: now }
}

/** The credit after one more call; `percent` of it pays for a retry. */
export function afterCall(credit: number, percent: number): number {
  return Math.min(MAX_SAVED_RETRIES * ONE, credit + percent)
}

/**
 * The budget after one retry; undefined when it does not pay for one. Over any stretch of time
 * retries are at most what was saved, `percent` of the calls, and the floor's own.
 */
export function afterRetry(
  budget: RetryBudget,
  percent: number,
  now: number,
): RetryBudget | undefined {
  // Whoever set it to nothing wants none, rare or not.
  if (percent === 0) return undefined
  const { credit, filledAt } = filled(budget, now)
  return credit >= ONE ? { credit: credit - ONE, filledAt } : undefined
}

function filled({ credit, filledAt }: RetryBudget, now: number): RetryBudget {
  const missing = FLOOR_RETRIES * ONE - credit
  const grown = Math.floor((Math.max(0, now - filledAt) * ONE) / FLOOR_MS_PER_RETRY)
  if (grown >= missing) return { credit: Math.max(credit, FLOOR_RETRIES * ONE), filledAt: now }
  // What is less than a hundredth of a retry goes on growing.
  return { credit: credit + grown, filledAt: filledAt + (grown * FLOOR_MS_PER_RETRY) / ONE }
}
