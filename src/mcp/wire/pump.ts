import type { JsonEditor } from './json-editor.ts'

/** How a pumped stream ended. */
export type StreamEnd = 'complete' | 'cancelled' | 'broken'

export interface PumpOptions {
  readonly source: ReadableStream<Uint8Array>
  readonly editor: JsonEditor
  /** A stream that is silent for longer is broken. */
  readonly idleTimeoutMs: number
  /** Bytes to write instead of breaking off, when the source ends badly or without an answer. */
  readonly epilogue: (end: 'complete' | 'broken') => Uint8Array | undefined
  /** Called once. */
  readonly onEnd: (end: StreamEnd) => void
}

/**
 * Hands a body on chunk by chunk through an editor. Pumped by us, so that a client's disconnect is
 * noticed: it cancels the source, which closes the upstream connection (DESIGN.md, Disconnect).
 */
export function pump(options: PumpOptions): ReadableStream<Uint8Array> {
  const { editor, epilogue } = options
  const reader = options.source.getReader()
  let isOver = false
  const finish = (end: StreamEnd): void => {
    if (!isOver) options.onEnd(end)
    isOver = true
  }

  async function pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    for (;;) {
      const chunk = await readWithin(reader, options.idleTimeoutMs)
      if (chunk.kind === 'data') {
        const edited = editor.write(chunk.bytes)
        if (edited.byteLength === 0) continue
        controller.enqueue(edited)
        return
      }
      if (chunk.kind === 'broken') await reader.cancel().catch(() => undefined)
      const rest = editor.end()
      if (rest.byteLength > 0) controller.enqueue(rest)
      const last = epilogue(chunk.kind)
      if (last) controller.enqueue(last)
      if (chunk.kind === 'broken' && !last) controller.error(new Error('upstream broke off'))
      else controller.close()
      finish(chunk.kind)
      return
    }
  }

  return new ReadableStream<Uint8Array>({
    pull,
    async cancel(reason) {
      finish('cancelled')
      await reader.cancel(reason)
    },
  })
}

type Chunk =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'complete' }
  | { readonly kind: 'broken' }

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

/** Reads the first chunk of a body and gives the whole body back, so that an empty one shows. */
export async function peek(
  body: ReadableStream<Uint8Array>,
  timeoutMs: number,
): Promise<{ readonly first: Chunk['kind']; readonly body: ReadableStream<Uint8Array> }> {
  const reader = body.getReader()
  const first = await readWithin(reader, timeoutMs)
  const whole = new ReadableStream<Uint8Array>({
    start(controller) {
      if (first.kind === 'data') controller.enqueue(first.bytes)
      else controller.close()
    },
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
  return { first: first.kind, body: whole }
}
