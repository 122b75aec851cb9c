import { systemClock } from './context.ts'

/**
 * The time limit of one exchange. It has one timer however often it begins anew: timers cost more
 * than anything else here.
 */
export interface Deadline {
  /** Aborted when the time is up, or the caller has gone. */
  readonly signal: AbortSignal
  /** Whether the time was up. */
  isPassed(): boolean
  /** Begins anew, with the whole time. */
  restart(): void
  /** No limit any more. Idempotent. */
  end(): void
}

/** A limit of `timeoutMs` from now on, for as long as `caller` stays. */
export function createDeadline(timeoutMs: number, caller?: AbortSignal): Deadline {
  const controller = new AbortController()
  let isPassed = false
  let restartedAt: number | undefined
  let timer = setTimeout(expire, timeoutMs)

  function expire(): void {
    const leftMs = restartedAt === undefined ? 0 : restartedAt + timeoutMs - systemClock.now()
    restartedAt = undefined
    if (leftMs > 0) {
      timer = setTimeout(expire, leftMs)
      return
    }
    isPassed = true
    controller.abort()
  }

  return {
    signal: caller ? AbortSignal.any([controller.signal, caller]) : controller.signal,
    isPassed: () => isPassed,
    restart() {
      restartedAt = systemClock.now()
    },
    end() {
      clearTimeout(timer)
    },
  }
}
