import { createSilence } from './silence.ts'
import { createStallWatch } from './stall-watch.ts'

/**
 * How a pumped stream ended. `faulty`: complete, but with something that no honest server sends.
 * `suspended`: without its answer, for which the client may come back. `bounded`: by a bound of
 * ours, which is no fault of who sent it.
 */
export type StreamEnd = 'complete' | 'faulty' | 'suspended' | 'cancelled' | 'broken' | 'bounded'

/** What one read gave. */
export type Chunk =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'complete' }
  | { readonly kind: 'broken' }
  /** Nothing came in time; what comes later is not lost. */
  | { readonly kind: 'silent' }

/** A body being read. */
export interface Source {
  /** Silence for longer than the source's idle timeout counts as broken. */
  read(): Promise<Exclude<Chunk, { kind: 'silent' }>>
  /** Silence ends the wait alone. */
  readWithin(timeoutMs: number): Promise<Chunk>
  cancel(reason?: unknown): Promise<void>
}

const SILENT: Chunk = { kind: 'silent' }

/** Opens a body for reading. */
export function openSource(body: ReadableStream<Uint8Array>, idleTimeoutMs: number): Source {
  const reader = body.getReader()
  const silence = createSilence()
  let pending: Promise<Exclude<Chunk, { kind: 'silent' }>> | undefined

  async function readWithin(timeoutMs: number): Promise<Chunk> {
    pending ??= reader.read().then(
      ({ done, value }) => (done ? { kind: 'complete' } : { kind: 'data', bytes: value }),
      () => ({ kind: 'broken' }),
    )
    const chunk = await Promise.race([pending, silence.after(timeoutMs)])
    if (chunk === 'silent') return SILENT
    pending = undefined
    if (chunk.kind === 'data') silence.rest()
    else silence.end()
    return chunk
  }

  return {
    readWithin,
    async read() {
      const chunk = await readWithin(idleTimeoutMs)
      return chunk.kind === 'silent' ? { kind: 'broken' } : chunk
    },
    cancel(reason) {
      silence.end()
      return reader.cancel(reason).catch(() => undefined)
    },
  }
}

/** What is to be written next, and whether that is the end. */
export interface Step {
  readonly bytes: Uint8Array
  readonly end?: Exclude<StreamEnd, 'cancelled'>
  /** Ends by breaking the connection, where nothing that could be written would be understood. */
  readonly breaksOff?: true
}

const BROKE_OFF: Step = { bytes: new Uint8Array(0), end: 'broken', breaksOff: true }

export interface PumpOptions {
  readonly source: Source
  /** Aborted when the client is gone: a stream that writes nothing would not notice. */
  readonly signal: AbortSignal
  /** Reads on until there is something to write, or the end. */
  readonly next: () => Promise<Step>
  /** What was handed on may wait so long to be read, in ms. */
  readonly stallMs: number
  /** Called before `onEnd('cancelled')` when nobody read for so long. */
  readonly onStall?: () => void
  /** Called once. */
  readonly onEnd: (end: StreamEnd) => void
}

/**
 * Hands a body on step by step: one step is held until it is read, and nothing is read meanwhile.
 * Pumped by us, so that a client's disconnect is noticed, and one that stays and reads nothing: both
 * cancel the source, which closes the upstream connection (DESIGN.md, Disconnect).
 */
export function pump(options: PumpOptions): ReadableStream<Uint8Array> {
  const { source, signal, next, onEnd, stallMs, onStall } = options
  let isOver = false
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined
  const watch = createStallWatch(stallMs, () => {
    if (isOver) return
    onStall?.()
    stream?.error(new Error('nobody reads'))
    void leave()
  })
  const finish = (end: StreamEnd): void => {
    watch.stop()
    signal.removeEventListener('abort', onAbort)
    if (!isOver) onEnd(end)
    isOver = true
  }
  const leave = async (reason?: unknown): Promise<void> => {
    finish('cancelled')
    await source.cancel(reason)
  }
  const onAbort = (): void => void leave()
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })

  return new ReadableStream<Uint8Array>({
    start(controller) {
      stream = controller
    },
    async pull(controller) {
      watch.moves()
      for (;;) {
        const { bytes, end, breaksOff } = await next().catch((): Step => BROKE_OFF)
        if (isOver) return controller.close()
        if (bytes.byteLength > 0) controller.enqueue(bytes)
        if (end === undefined && bytes.byteLength === 0) continue
        if (end === undefined) return watch.waits()
        if (breaksOff) controller.error(new Error('upstream broke off'))
        else controller.close()
        finish(end)
        await source.cancel()
        return
      }
    },
    cancel: leave,
  })
}
