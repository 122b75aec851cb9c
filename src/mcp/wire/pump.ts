import type { JsonEditor } from './json-editor.ts'

/** How a pumped stream ended. */
export type StreamEnd = 'complete' | 'cancelled' | 'broken'

/** What one read gave. */
export type Chunk =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'complete' }
  | { readonly kind: 'broken' }

/** A body being read. Silence for longer than its idle timeout counts as broken. */
export interface Source {
  read(): Promise<Chunk>
  cancel(reason?: unknown): Promise<void>
}

/** Opens a body for reading. */
export function openSource(body: ReadableStream<Uint8Array>, idleTimeoutMs: number): Source {
  const reader = body.getReader()
  return {
    read: () => readWithin(reader, idleTimeoutMs),
    cancel: (reason) => reader.cancel(reason).catch(() => undefined),
  }
}

/** How a source ended by itself. */
export type SourceEnd = 'complete' | 'broken'

/** What an end amounts to, and bytes to write instead of breaking off. */
export interface Conclusion {
  readonly end: SourceEnd
  readonly last?: Uint8Array
}

export interface PumpOptions {
  readonly source: Source
  /** A chunk that was read already. */
  readonly first?: Uint8Array
  readonly editor: JsonEditor
  /** Judges the source's end; `isCut` when the editor still held an unfinished piece. */
  readonly conclude: (end: SourceEnd, isCut: boolean) => Conclusion
  /** Called once. */
  readonly onEnd: (end: StreamEnd) => void
}

/**
 * Hands a body on chunk by chunk through an editor. Pumped by us, so that a client's disconnect is
 * noticed: it cancels the source, which closes the upstream connection (DESIGN.md, Disconnect).
 */
export function pump({ source, editor, first, conclude, onEnd }: PumpOptions): ReadableStream {
  let pending = first
  let isOver = false
  const finish = (end: StreamEnd): void => {
    if (!isOver) onEnd(end)
    isOver = true
  }
  const next = async (): Promise<Chunk> => {
    const bytes = pending
    pending = undefined
    return bytes ? { kind: 'data', bytes } : source.read()
  }

  async function pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    for (;;) {
      const chunk = await next()
      if (chunk.kind === 'data') {
        const edited = editor.write(chunk.bytes)
        if (edited.byteLength === 0) continue
        controller.enqueue(edited)
        return
      }
      if (chunk.kind === 'broken') await source.cancel()
      const rest = editor.end()
      if (rest.byteLength > 0) controller.enqueue(rest)
      const { end, last } = conclude(chunk.kind, rest.byteLength > 0)
      if (last) controller.enqueue(last)
      if (end === 'broken' && !last) controller.error(new Error('upstream broke off'))
      else controller.close()
      finish(end)
      return
    }
  }

  return new ReadableStream<Uint8Array>({
    pull,
    async cancel(reason) {
      finish('cancelled')
      await source.cancel(reason)
    },
  })
}

async function readWithin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  timeoutMs: number,
): Promise<Chunk> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<Chunk>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'broken' }), timeoutMs)
  })
  const read = reader.read().then(
    ({ done, value }): Chunk => (done ? { kind: 'complete' } : { kind: 'data', bytes: value }),
    (): Chunk => ({ kind: 'broken' }),
  )
  try {
    return await Promise.race([read, timeout])
  } finally {
    clearTimeout(timer)
  }
}
