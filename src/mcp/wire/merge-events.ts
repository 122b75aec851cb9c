import { LF } from './bytes.ts'
import { createCuttablePipe } from './cuttable-pipe.ts'
import { KEEP_ALIVE } from './keep-alive.ts'
import { createStallWatch } from './stall-watch.ts'
import { DEFAULT_STREAM_BOUNDS } from './stream-bounds.ts'

/** Several event streams written as one, no event of one inside an event of another. */
export interface EventMerger {
  readonly readable: ReadableStream<Uint8Array>
  /**
   * Adds a stream; its end or failure leaves the others alone, and one that is slower than 20 s
   * within an event is ended. Settles when it has ended.
   */
  add(stream: ReadableStream<Uint8Array>): Promise<void>
  /** Writes a comment between events; nothing while one still waits for a slow reader. */
  keepAlive(): Promise<void>
  /** Ends the merged stream. Idempotent. */
  close(): Promise<void>
  /** Whether it has ended, or nobody reads it any more. */
  isOver(): boolean
}

/**
 * How long a stream may let the others wait within one event of its own, while it is waited for and
 * not the reader. Less than a followed stream must last to be opened again soon.
 */
const MAX_TURN_SECONDS = 20

const BLANK = new Uint8Array([LF, LF])

/** How a merged stream ended: by us, because its reader left, or because it read nothing. */
export type MergerEnd = 'closed' | 'cancelled' | 'stalled'

/**
 * @see EventMerger. `onEnd` is called once. What is written may wait `stallMs` to be read; of each
 * stream one piece waits, and nothing more is read of any.
 */
export function createEventMerger(
  onEnd: (end: MergerEnd) => void,
  stallMs = DEFAULT_STREAM_BOUNDS.stallMs,
): EventMerger {
  const { readable, writer, cut } = createCuttablePipe()
  const readers = new Set<ReadableStreamDefaultReader<Uint8Array>>()
  let turn: Promise<void> = Promise.resolve()
  let isOver = false
  let isIdling = false

  function over(end: MergerEnd): void {
    if (isOver) return
    isOver = true
    watch.stop()
    for (const reader of readers) reader.cancel().catch(() => undefined)
    onEnd(end)
  }
  const watch = createStallWatch(stallMs, () => {
    over('stalled')
    cut()
  })
  async function write(bytes: Uint8Array): Promise<void> {
    watch.waits()
    await writer.write(bytes)
    watch.moves()
  }
  // Rejects when the reader of the merged stream is gone.
  writer.closed.catch(() => over('cancelled'))

  /** Waits for its turn, then holds it until the returned function is called. */
  async function takeTurn(): Promise<() => void> {
    const before = turn
    let release = (): void => undefined
    turn = new Promise((resolve) => {
      release = resolve
    })
    await before
    return release
  }

  return {
    readable,

    async add(stream) {
      if (isOver) return stream.cancel()
      const reader = stream.getReader()
      readers.add(reader)
      let release: (() => void) | undefined
      let isWaitedFor = false
      let clock: ReturnType<typeof setInterval> | undefined
      const startClock = (): void => {
        let seconds = 0
        clock = setInterval(() => {
          if (isWaitedFor) seconds += 1
          if (seconds >= MAX_TURN_SECONDS) reader.cancel().catch(() => undefined)
        }, 1_000)
      }
      let tail: readonly (number | undefined)[] = []
      try {
        for (;;) {
          isWaitedFor = true
          const { done, value } = await reader.read()
          isWaitedFor = false
          if (done || isOver) return
          if (!release) {
            release = await takeTurn()
            startClock()
          }
          await write(value)
          tail = value.byteLength > 1 ? [value.at(-2), value.at(-1)] : [tail[1], value.at(-1)]
          if (tail[0] !== LF || tail[1] !== LF) continue
          // A blank line ends an event.
          clearInterval(clock)
          release()
          release = undefined
        }
      } catch {
        // Broken, or nobody reads any more: the others go on, or have been told.
      } finally {
        clearInterval(clock)
        readers.delete(reader)
        // A half event must not run into the next one.
        if (release) await write(BLANK).catch(() => undefined)
        release?.()
      }
    },

    async keepAlive() {
      if (isIdling) return
      isIdling = true
      const release = await takeTurn()
      try {
        await write(KEEP_ALIVE)
      } catch {
        over('cancelled')
      } finally {
        isIdling = false
        release()
      }
    },

    isOver: () => isOver,

    async close() {
      over('closed')
      await writer.close().catch(() => undefined)
    },
  }
}
