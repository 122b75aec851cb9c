import { systemClock } from './context.ts'
import type { Deadline } from './deadline.ts'

/**
 * A limit of `timeoutMs` from now on, for as long as `caller` stays. `isBrief`: the caller's signal is
 * that of one request, whose leaving it listens for until it is released; that costs less than to join
 * two signals.
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
  let stopListening: (() => void) | undefined

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

  function end(): void {
    if (isEnded) return
    isEnded = true
    clearTimeout(timer)
  }

  return {
    signal() {
      if (signal) return signal
      controller = new AbortController()
      if (isPassed) controller.abort()
      if (caller && isBrief) stopListening = leaveWith(caller, controller)
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
    end,
    release() {
      end()
      stopListening?.()
    },
  }
}

/** Gives what ends it. */
function leaveWith(caller: AbortSignal, controller: AbortController): () => void {
  const leave = (): void => controller.abort()
  if (caller.aborted) leave()
  else caller.addEventListener('abort', leave, { once: true })
  return () => caller.removeEventListener('abort', leave)
}
