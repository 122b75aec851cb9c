import { systemClock } from './context.ts'
import type { Deadline } from './deadline.ts'
import { YOUNG_MS, type Youth } from './young-calls.ts'

/** Whoever waits, if anybody does. The signal is looked at when it is needed. */
export interface Waiting {
  readonly signal?: AbortSignal | undefined
}

/**
 * A limit of `timeoutMs` from now on, for as long as the caller stays. With `youth` it has no timer
 * while the call is young, and its signal is that of one request, whose leaving is listened for until
 * the deadline is released; that costs less than to join two signals.
 */
export function createDeadline(timeoutMs: number, caller?: Waiting, youth?: Youth): Deadline {
  let isPassed = false
  let isEnded = false
  let isHearing = false
  let isDueToHear = false
  // The clock that the platform's timers go by: one of a test, which leaps, would not move them.
  const beganAt = systemClock.now()
  let dueAt = beganAt + timeoutMs
  let firesAt = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  /** While it is young. */
  let told: (() => void) | undefined
  let controller: AbortController | undefined
  let signal: AbortSignal | undefined
  let heard: AbortSignal | undefined
  let leaveWork: (() => void) | undefined
  if (youth && timeoutMs > YOUNG_MS) beYoung(youth)
  else arm(timeoutMs, beganAt)

  function beYoung(among: Youth): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    promise.then(growOld)
    told = resolve
    firesAt = beganAt + YOUNG_MS
    among.add(told)
  }

  function growOld(): void {
    if (!told) return
    told = undefined
    expire()
  }

  /** Neither timer nor youth any more. */
  function disarm(): void {
    if (told) {
      youth?.forget(told)
      told = undefined
    } else {
      clearTimeout(timer)
    }
  }

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
    disarm()
  }

  return {
    signal() {
      if (signal) return signal
      controller = new AbortController()
      if (isPassed) controller.abort()
      const joined = youth ? undefined : caller?.signal
      if (youth) listen()
      signal = joined ? AbortSignal.any([controller.signal, joined]) : controller.signal
      return signal
    },
    hear() {
      if (isEnded) return
      isHearing = true
      if (isDueToHear || !youth) listen()
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
      disarm()
      arm(ms, now)
    },
    end,
    release() {
      end()
      heard?.removeEventListener('abort', leave)
    },
  }
}
