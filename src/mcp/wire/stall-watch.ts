/** Notices that what was handed on is not read. */
export interface StallWatch {
  /** Something waits to be read from now on; the first time begins the watch. */
  waits(): void
  /** It has been read. */
  moves(): void
  stop(): void
}

/** Looks that make up the time: each is a timer's, so that no clock is needed. */
const LOOKS = 4

/**
 * One timer for the life of a stream, not one for each piece of it. `onStall` is called once, when
 * something has waited for `stallMs`, or a quarter longer.
 */
export function createStallWatch(stallMs: number, onStall: () => void): StallWatch {
  let timer: ReturnType<typeof setInterval> | undefined
  let isWaiting = false
  let looks = 0

  function look(): void {
    if (!isWaiting) return
    looks += 1
    if (looks <= LOOKS) return
    clearInterval(timer)
    onStall()
  }

  return {
    waits() {
      if (isWaiting) return
      isWaiting = true
      looks = 0
      timer ??= setInterval(look, stallMs / LOOKS)
    },
    moves() {
      isWaiting = false
    },
    stop: () => clearInterval(timer),
  }
}
