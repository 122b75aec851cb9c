/** Ends what reads a message when the rest of it does not come. */
export interface RestDeadline {
  /** A part has come and not the whole. Does nothing while the deadline runs. */
  begin(): void
  /** The whole has come, or nobody waits any more. */
  clear(): void
  /** It has passed. */
  isLate(): boolean
}

/** `onLate` is called once each time that it passes. */
export function createRestDeadline(restMs: number, onLate: () => void): RestDeadline {
  let timer: ReturnType<typeof setTimeout> | undefined
  let isLate = false
  return {
    begin() {
      timer ??= setTimeout(() => {
        isLate = true
        onLate()
      }, restMs)
    },
    clear() {
      clearTimeout(timer)
      timer = undefined
    },
    isLate: () => isLate,
  }
}
