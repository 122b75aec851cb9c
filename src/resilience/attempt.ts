import type { CallContext } from '../core/index.ts'

/** An operation that may be run again, and when. */
export interface AttemptPlan<T> {
  readonly ctx: Pick<CallContext, 'random' | 'caller'>
  /** The first one included. */
  readonly maxAttempts: number
  run(attempt: number): Promise<T>
  isRetryable(result: T): boolean
  /** How long the other side wants to be left alone, ms; 0 where it did not say. */
  askedPauseMs?(result: T): number
  /** Until nobody waits for a result any more; a pause that is longer ends it. */
  leftMs?(): number
  /** Asked last: whether the budget pays for one more, which it then has. */
  mayRetry?(): boolean
  /** Told that a result will not be given: whatever it holds is free for others in the pause. */
  letGo?(result: T): void
  /** Upper bound of the first pause, ms; doubles every time. */
  readonly baseDelayMs?: number
  /** For tests; ends early when the signal is aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
}

const BASE_DELAY_MS = 50
const MAX_DELAY_MS = 1_000
/** A server that wants to be left alone for longer is: the caller is told now. */
const MAX_ASKED_PAUSE_MS = 2_000

/**
 * Runs the operation until its result is not retryable, or attempts, budget or time are used up, or
 * the caller has gone; gives the last result, which was let go when the caller left in a pause. What
 * `run` throws is never retried. Pauses have full jitter, so that callers do not come back in step.
 */
export async function attempt<T>(plan: AttemptPlan<T>): Promise<T> {
  const { ctx, maxAttempts, sleep = pause, baseDelayMs = BASE_DELAY_MS } = plan
  for (let count = 1; ; count += 1) {
    const result = await plan.run(count)
    if (count >= maxAttempts || ctx.caller.signal.aborted || !plan.isRetryable(result))
      return result
    const askedMs = plan.askedPauseMs?.(result) ?? 0
    const ceiling = Math.min(MAX_DELAY_MS, baseDelayMs * 2 ** (count - 1))
    const pauseMs = Math.max(askedMs, Math.floor(ctx.random.fraction() * ceiling))
    const isInTime = askedMs <= MAX_ASKED_PAUSE_MS && pauseMs < (plan.leftMs?.() ?? Infinity)
    if (!isInTime || plan.mayRetry?.() === false) return result
    plan.letGo?.(result)
    await sleep(pauseMs, ctx.caller.signal)
    if (ctx.caller.signal.aborted) return result
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const onAbort = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
