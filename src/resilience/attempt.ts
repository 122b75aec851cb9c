import type { CallContext } from '../core/index.ts'

/** An operation that may be run again, and when. */
export interface AttemptPlan<T> {
  readonly ctx: Pick<CallContext, 'random' | 'signal'>
  /** The first one included. */
  readonly maxAttempts: number
  /** False runs it once, whatever happens: sending twice could do harm. */
  readonly canRetry: boolean
  run(attempt: number): Promise<T>
  isRetryable(result: T): boolean
  /** Upper bound of the first pause, ms; doubles every time. */
  readonly baseDelayMs?: number
  /** For tests. */
  readonly sleep?: (ms: number) => Promise<void>
}

const BASE_DELAY_MS = 50
const MAX_DELAY_MS = 1_000

/**
 * Runs the operation until its result is not retryable, attempts are used up or the caller has
 * gone; gives the last result. What `run` throws is never retried. Pauses have full jitter, so
 * that callers do not come back in step.
 */
export async function attempt<T>(plan: AttemptPlan<T>): Promise<T> {
  const { ctx, canRetry, maxAttempts, sleep = pause, baseDelayMs = BASE_DELAY_MS } = plan
  for (let count = 1; ; count += 1) {
    const result = await plan.run(count)
    const isLast = !canRetry || count >= maxAttempts
    if (isLast || ctx.signal.aborted || !plan.isRetryable(result)) return result
    const ceiling = Math.min(MAX_DELAY_MS, baseDelayMs * 2 ** (count - 1))
    await sleep(Math.floor(ctx.random.fraction() * ceiling))
    if (ctx.signal.aborted) return result
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
