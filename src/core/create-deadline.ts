import { systemClock } from './context.ts'
import type { Deadline } from './deadline.ts'

/** Whoever waits, if anybody does. The signal is looked at when it is needed. */
export interface Waiting {
  readonly signal?: AbortSignal | undefined
}

/**
 * How long a call runs before it is looked whether its caller is still there: much less than anybody
 * notices, and more than most calls take.
 */
const HEARING_MS = 50

/**
 * A limit of `timeoutMs` from now on, for as long as the caller stays. `isBrief`: its signal is that of
 * one request, whose leaving is listened for until the deadline is released; that costs less than to
 * join two signals.
 */
export function createDeadline(timeoutMs: number, caller?: Waiting, isBrief = false): Deadline {
  let isPassed = false
  let isEnded = false
  let isHearing = false
  let isDueToHear = false
  // The clock that the platform's timers go by: one of a test, which leaps, would not move them.
  const beganAt = systemClock.now()
  let dueAt = beganAt + timeoutMs
  let firesAt = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let controller: AbortController | undefined
  let signal: AbortSignal | undefined
  let heard: AbortSignal | undefined
  let leaveWork: (() => void) | undefined
  arm(isBrief ? Math.min(timeoutMs, HEARING_MS) : timeoutMs, beganAt)

  function expire(): void {
    timer = undefined
    isDueToHear = true
    const now = systemClock.now()
    const leftMs = dueAt - now
    if (leftMs > 0) {
      arm(leftMs, now)
      if (isHearing) listen()
      return
    }
    isPassed = true
    leave()
  }

  function arm(ms: number, now: number): void {
    firesAt = now + ms
    timer = setTimeout(expire, ms)
  }

  function leave(): void {
    controller?.abort()
    leaveWork?.()
  }

  function listen(): void {
    if (heard || !caller?.signal) return
    heard = caller.signal
    if (heard.aborted) leave()
    else heard.addEventListener('abort', leave, { once: true })
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
      const joined = isBrief ? undefined : caller?.signal
      if (isBrief) listen()
      signal = joined ? AbortSignal.any([controller.signal, joined]) : controller.signal
      return signal
    },
    hear() {
      if (isEnded) return
      isHearing = true
      if (isDueToHear || !isBrief) listen()
    },
    hears: () => isHearing,
    hasLeft: () => (isHearing ? caller?.signal : heard)?.aborted === true,
    isPassed: () => isPassed,
    // Half of what a race costs.
    within: (work) =>
      new Promise((resolve, reject) => {
        leaveWork = () => resolve(undefined)
        if (isPassed || heard?.aborted) leaveWork()
        work.then(resolve, reject)
      }),
    restart(ms) {
      if (isEnded) return
      const now = systemClock.now()
      dueAt = now + ms
      // A timer that comes too early begins another one; only one that comes too late is replaced.
      if (dueAt >= firesAt) return
      clearTimeout(timer)
      arm(ms, now)
    },
    end,
    release() {
      end()
      heard?.removeEventListener('abort', leave)
    },
  }
}
