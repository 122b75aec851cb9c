import { type CallContext, systemClock } from './context.ts'

/**
 * The time limit of what is waited for. It has one timer however often it begins anew: a timer costs
 * a request more than most of what happens in it.
 */
export interface Deadline {
  /**
   * Aborted when the time is up, or the caller has gone. Made when it is asked for: who waits for a
   * body alone needs none.
   */
  signal(): AbortSignal
  /** Whether the time was up. */
  isPassed(): boolean
  /** What the work comes to; undefined when its time is up before. One at a time. */
  within<T>(work: Promise<T>): Promise<T | undefined>
  /** Begins anew, with so much time. */
  restart(timeoutMs: number): void
  /** No limit any more. Idempotent. */
  end(): void
}

/**
 * A limit of `timeoutMs` from now on, for as long as `caller` stays. `isBrief`: the caller's signal is
 * that of one request, so that a listener which is never removed is no leak; it costs less than to
 * join two signals.
 */
export function createDeadline(timeoutMs: number, caller?: AbortSignal, isBrief = false): Deadline {
  let isPassed = false
  let isEnded = false
  // The clock that the platform's timers go by: one of a test, which leaps, would not move them.
  let dueAt = systemClock.now() + timeoutMs
  let firesAt = dueAt
  let timer = setTimeout(expire, timeoutMs)
  let controller: AbortController | undefined
  let signal: AbortSignal | undefined
  let leaveWork: (() => void) | undefined

  function expire(): void {
    const leftMs = dueAt - systemClock.now()
    if (leftMs > 0) {
      arm(leftMs)
      return
    }
    isPassed = true
    controller?.abort()
    leaveWork?.()
  }

  function arm(ms: number): void {
    firesAt = dueAt
    timer = setTimeout(expire, ms)
  }

  return {
    signal() {
      if (signal) return signal
      controller = new AbortController()
      if (isPassed) controller.abort()
      if (caller && isBrief) leaveWith(caller, controller)
      signal = caller && !isBrief ? AbortSignal.any([controller.signal, caller]) : controller.signal
      return signal
    },
    isPassed: () => isPassed,
    // Half of what a race costs.
    within: (work) =>
      new Promise((resolve, reject) => {
        leaveWork = () => resolve(undefined)
        if (isPassed) leaveWork()
        work.then(resolve, reject)
      }),
    restart(ms) {
      if (isEnded) return
      dueAt = systemClock.now() + ms
      // A timer that comes too early begins another one; only one that comes too late is replaced.
      if (dueAt >= firesAt) return
      clearTimeout(timer)
      arm(ms)
    },
    end() {
      if (isEnded) return
      isEnded = true
      clearTimeout(timer)
    },
  }
}

function leaveWith(caller: AbortSignal, controller: AbortController): void {
  if (caller.aborted) controller.abort()
  else caller.addEventListener('abort', () => controller.abort(), { once: true })
}

/** Of requests whose body has come: what they wait for next may have their timer. */
const spare = new WeakMap<CallContext, Deadline>()

/** Leaves a deadline to whatever the request waits for next. Who left it ends it, if it is not taken. */
export function leaveDeadline(ctx: CallContext, deadline: Deadline): void {
  spare.set(ctx, deadline)
}

/**
 * The deadline that was left in this context, once; who takes it ends it. Undefined where it passed
 * while nobody waited under it: what comes next has not used any of its own time.
 */
export function takeDeadline(ctx: CallContext): Deadline | undefined {
  const left = spare.get(ctx)
  if (left === undefined) return undefined
  spare.delete(ctx)
  return left.isPassed() ? undefined : left
}
