import { systemClock } from '../../core/index.ts'

/** Tells when nothing has come for a while. One timer for a whole stream, not one for each piece. */
export interface Silence {
  /** Settles when so much time has passed without `rest`. */
  after(timeoutMs: number): Promise<'silent'>
  /** Something came: nothing is waited for until `after` is called again. */
  rest(): void
  /** Nothing is waited for any more. */
  end(): void
}

/**
 * @see Silence. By the clock that the platform's timers go by: one of a test, which leaps, would not
 * move them.
 */
export function createSilence(): Silence {
  let timer: ReturnType<typeof setTimeout> | undefined
  let firesAt = 0
  let dueAt: number | undefined
  let settle: ((silent: 'silent') => void) | undefined

  function look(): void {
    timer = undefined
    if (dueAt === undefined) return
    const leftMs = dueAt - systemClock.now()
    if (leftMs > 0) arm(leftMs)
    else settle?.('silent')
  }

  function arm(ms: number): void {
    firesAt = systemClock.now() + ms
    timer = setTimeout(look, ms)
  }

  return {
    after(timeoutMs) {
      dueAt = systemClock.now() + timeoutMs
      // One that comes too early looks again; only one that comes too late is replaced.
      if (timer === undefined || firesAt > dueAt) {
        clearTimeout(timer)
        arm(timeoutMs)
      }
      return new Promise((resolve) => {
        settle = resolve
      })
    },
    rest() {
      dueAt = undefined
      settle = undefined
    },
    end() {
      dueAt = undefined
      if (timer !== undefined) clearTimeout(timer)
      timer = undefined
    },
  }
}
