import { createCuttablePipe } from '../wire/cuttable-pipe.ts'
import { KEEP_ALIVE, KEEP_ALIVE_MS } from '../wire/keep-alive.ts'
import { createStallWatch } from '../wire/stall-watch.ts'
import { DEFAULT_STREAM_BOUNDS } from '../wire/stream-bounds.ts'

/** A stream of events that we write ourselves. */
export interface EventWriter {
  readonly readable: ReadableStream<Uint8Array>
  /** Settles when the reader has taken it, or has gone. Never rejects. */
  write(event: string): Promise<void>
  /** After a last event, if there is one. Idempotent; never rejects. */
  close(last?: string): Promise<void>
}

export interface EventWriterOptions {
  /** False for a stream that another one carries. */
  readonly keepsAlive: boolean
  /** What was written may wait so long to be read, in ms. */
  readonly stallMs?: number
}

/**
 * Writes a comment every 25 s, which is also how a reader that has gone is noticed. `onGone` is
 * called once, unless `close` was: the reader left, or stayed and read nothing.
 */
export function createEventWriter(
  onGone: (why: 'cancelled' | 'stalled') => void,
  { keepsAlive, stallMs = DEFAULT_STREAM_BOUNDS.stallMs }: EventWriterOptions,
): EventWriter {
  const { readable, writer, cut } = createCuttablePipe()
  const encoder = new TextEncoder()
  let isOver = false
  let isBusy = false
  const timer = keepsAlive ? setInterval(idle, KEEP_ALIVE_MS) : undefined

  function over(): boolean {
    if (isOver) return false
    isOver = true
    clearInterval(timer)
    watch.stop()
    return true
  }
  function gone(why: 'cancelled' | 'stalled'): void {
    if (over()) onGone(why)
  }
  const left = (): void => gone('cancelled')
  const watch = createStallWatch(stallMs, () => {
    gone('stalled')
    cut()
  })
  writer.closed.catch(left)

  async function put(bytes: Uint8Array): Promise<void> {
    isBusy = true
    watch.waits()
    await writer.write(bytes).catch(left)
    watch.moves()
    isBusy = false
  }

  function idle(): void {
    // One that still waits for a slow reader is sign enough.
    if (!isBusy) void put(KEEP_ALIVE)
  }

  return {
    readable,
    async write(event) {
      if (!isOver) await put(encoder.encode(event))
    },
    async close(last) {
      if (!over()) return
      if (last !== undefined) void writer.write(encoder.encode(last)).catch(() => undefined)
      await writer.close().catch(() => undefined)
    },
  }
}
