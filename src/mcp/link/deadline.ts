/** Aborts when the signal does, or after the time. */
export interface Deadline {
  readonly signal: AbortSignal
  /** Undefined when it came too late. */
  within<T>(work: Promise<T>): Promise<T | undefined>
  clear(): void
}

/** @see Deadline. Not `AbortSignal.timeout`, which would keep an object awake. */
export function createDeadline(timeoutMs: number, outer?: AbortSignal): Deadline {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), timeoutMs)
  const leave = (): void => late.abort()
  if (outer?.aborted) leave()
  outer?.addEventListener('abort', leave, { once: true })
  return {
    signal: late.signal,

    async within(work) {
      let stop: () => void = () => undefined
      const end = new Promise<undefined>((resolve) => {
        stop = () => resolve(undefined)
        if (late.signal.aborted) stop()
        late.signal.addEventListener('abort', stop, { once: true })
      })
      try {
        return await Promise.race([work, end])
      } finally {
        late.signal.removeEventListener('abort', stop)
      }
    },

    clear() {
      clearTimeout(timer)
      outer?.removeEventListener('abort', leave)
    },
  }
}
