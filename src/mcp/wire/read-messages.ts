import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { mediaType } from '../../core/index.ts'
import { elements } from './edit-members.ts'
import { parseMessage } from './parse-message.ts'
import { openSource } from './pump.ts'
import { createRestDeadline } from './rest-deadline.ts'
import { DEFAULT_STREAM_BOUNDS } from './stream-bounds.ts'

/** What was heard next. */
export type Heard =
  | {
      readonly kind: 'message'
      readonly text: string
      /** As it was parsed; undefined for what is no JSON. */
      readonly message: unknown
    }
  /** Nothing more comes. */
  | { readonly kind: 'end' | 'broken' | 'too_large' }
  /** Nothing came in time; what comes later is not lost. */
  | { readonly kind: 'silent' }

export interface Position {
  readonly lastEventId?: string
  /** How long the server wants to be left alone before. */
  readonly retryMs?: number
}

/** Messages of one batch (MCP 2025-03-26). */
const MAX_BATCH = 100

/** The JSON-RPC messages of a body, one after the other. */
export interface Messages {
  next(timeoutMs: number): Promise<Heard>
  /** How far it was read, where a server lets its streams be taken up again. */
  position(): Position
  /** Stops reading and closes the connection. */
  cancel(): Promise<void>
}

/**
 * Reads a body, JSON or events, message by message; a batch is taken apart. `maxBytes` is of one
 * message; the rest of one that has begun is waited for a minute. For what the gateway has to understand as a whole: other answers are relayed as they
 * flow.
 */
export function openMessages(
  body: ReadableStream<Uint8Array>,
  contentType: string | null,
  maxBytes: number,
): Messages {
  const source = openSource(body, 0)
  const rest = createRestDeadline(DEFAULT_STREAM_BOUNDS.messageMs, () => void source.cancel())
  /** Something has ended within the last chunk, which is more than a drip. */
  let hasEnded = false
  const decoder = new TextDecoder()
  const queue: { readonly text: string; readonly message: unknown }[] = []
  let bytes = 0
  let position: Position = {}
  let over: Exclude<Heard['kind'], 'message' | 'silent'> | undefined
  const isStream = mediaType(contentType) === 'text/event-stream'
  let text = ''
  const parser = createParser({
    onComment() {
      hasEnded = true
    },
    onRetry(retryMs) {
      position = { ...position, retryMs }
    },
    onEvent({ data, event, id }: EventSourceMessage) {
      bytes = 0
      hasEnded = true
      if (id !== undefined && id !== '') position = { ...position, lastEventId: id }
      // No reader of MCP knows an event of another type.
      if (data !== '' && (event === undefined || event === 'message'))
        queue.push(...messagesIn(data))
    },
  })

  function take(part: string): void {
    if (isStream) parser.feed(part)
    else text += part
  }

  /** False when nothing came in time. */
  async function read(timeoutMs: number): Promise<boolean> {
    const chunk = await source.readWithin(timeoutMs)
    switch (chunk.kind) {
      case 'silent':
        return false
      case 'data':
        bytes += chunk.bytes.byteLength
        hasEnded = false
        take(decoder.decode(chunk.bytes, { stream: true }))
        if (bytes > maxBytes && queue.length === 0) over = 'too_large'
        if (hasEnded || over !== undefined) rest.clear()
        else rest.begin()
        return true
      case 'complete':
        rest.clear()
        if (rest.isLate()) {
          over = 'broken'
          return true
        }
        if (!isStream && text !== '') queue.push(...messagesIn(text))
        over = 'end'
        return true
      case 'broken':
        rest.clear()
        over = 'broken'
        return true
    }
  }

  return {
    async next(timeoutMs) {
      for (;;) {
        const first = queue.shift()
        if (first) return { kind: 'message', ...first }
        if (over !== undefined) return { kind: over }
        if (!(await read(timeoutMs))) return { kind: 'silent' }
      }
    },
    position: () => position,
    async cancel() {
      rest.clear()
      await source.cancel()
    },
  }
}

function messagesIn(text: string) {
  const message = parseMessage(text)
  if (!Array.isArray(message)) return [{ text, message }]
  // Nobody batches so many: taken apart, they would take many times the memory of the text.
  if (message.length > MAX_BATCH) return [{ text: '', message: undefined }]
  return elements(text).map((one, index) => ({ text: one, message: message[index] as unknown }))
}
