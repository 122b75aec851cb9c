import { mediaType } from '../../core/index.ts'
import { MAX_HELD_BYTES } from '../answer/event-gate.ts'
import { CR, concat, LF, SPACE } from '../wire/bytes.ts'
import { readEvent, writeEvent } from '../wire/event-fields.ts'
import { createEventSplitter } from '../wire/event-splitter.ts'
import { topLevelMembers } from '../wire/top-level-members.ts'

/** An answer of an endpoint of ours, as events of 2024-11-05. */
export interface MessageEvents {
  readonly readable: ReadableStream<Uint8Array>
  /** Whether a response has passed, whole. */
  isAnswered(): boolean
  /** The id of the last event that had one; the client does not see it. */
  lastEventId(): string | undefined
}

export interface MessageEventsOptions {
  /** Sees each message that is small enough, before it passes; gives an id for its event. */
  readonly onMessage?: (json: string) => Promise<string | undefined>
  /** The body has ended, and did not break off. */
  readonly onEnd?: () => void
}

const NOTHING = new Uint8Array(0)
const BEGINNING = 'event: message\ndata: '

/**
 * Every message of an answer as one `event: message` (MCP 2024-11-05, HTTP with SSE). Comments,
 * events without data, and the ids by which newer clients resume are left out: a client of that
 * transport knows none of them. A body that breaks off leaves its event unfinished.
 */
export function messageEvents(
  { headers, body }: Response,
  options: MessageEventsOptions = {},
): MessageEvents {
  const isStream = mediaType(headers.get('content-type') ?? undefined) === 'text/event-stream'
  const passed: Passed = { isAnswered: false, lastEventId: undefined }
  const transform = isStream ? eachEvent(passed, options) : oneMessage(passed, options)
  const readable = (body ?? new Blob([]).stream()).pipeThrough(new TransformStream(transform))
  return {
    readable,
    isAnswered: () => passed.isAnswered,
    lastEventId: () => passed.lastEventId,
  }
}

interface Passed {
  isAnswered: boolean
  lastEventId: string | undefined
}

/** A body that is one JSON message: outside of strings a line break is white space, in an event not. */
function oneMessage(
  passed: Passed,
  { onMessage, onEnd }: MessageEventsOptions,
): Transformer<Uint8Array, Uint8Array> {
  const encoder = new TextEncoder()
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  return {
    transform(chunk, controller) {
      if (size === 0) controller.enqueue(encoder.encode(BEGINNING))
      size += chunk.byteLength
      if (onMessage && size <= MAX_HELD_BYTES) text += decoder.decode(chunk, { stream: true })
      const isBreak = (byte: number): boolean => byte === LF || byte === CR
      controller.enqueue(
        chunk.some(isBreak) ? chunk.map((byte) => (isBreak(byte) ? SPACE : byte)) : chunk,
      )
    },
    async flush(controller) {
      onEnd?.()
      if (size === 0) return
      const id = size <= MAX_HELD_BYTES ? await onMessage?.(text) : undefined
      controller.enqueue(encoder.encode(id === undefined ? '\n\n' : `\nid: ${id}\n\n`))
      passed.isAnswered = true
    },
  }
}

function eachEvent(
  passed: Passed,
  { onMessage, onEnd }: MessageEventsOptions,
): Transformer<Uint8Array, Uint8Array> {
  const splitter = createEventSplitter(MAX_HELD_BYTES)
  const encoder = new TextEncoder()
  let isLargeAnswer = false

  async function whole(bytes: Uint8Array): Promise<Uint8Array> {
    const event = readEvent(bytes)
    if (event?.id) passed.lastEventId = event.id
    if (!event?.data) return NOTHING
    const { data } = event
    const id = await onMessage?.(data)
    if (isResponse(data)) passed.isAnswered = true
    return encoder.encode(writeEvent({ data, id, others: ['event: message'] }))
  }

  return {
    async transform(chunk, controller) {
      const pieces: Uint8Array[] = []
      for (const piece of splitter.split(chunk)) {
        switch (piece.kind) {
          case 'event':
            pieces.push(await whole(piece.bytes))
            break
          case 'start': {
            const { lines, id } = dataOf(piece.bytes)
            if (id) passed.lastEventId = id
            isLargeAnswer = isResponse(new TextDecoder().decode(lines).slice('data:'.length))
            pieces.push(encoder.encode('event: message\n'), lines)
            break
          }
          case 'more':
            pieces.push(piece.bytes)
            break
          case 'end':
            if (isLargeAnswer) passed.isAnswered = true
        }
      }
      const bytes = concat(pieces)
      if (bytes.byteLength > 0) controller.enqueue(bytes)
    },
    flush: () => onEnd?.(),
  }
}

/** The relay has judged it: what names no method is the response. */
function isResponse(json: string): boolean {
  return topLevelMembers(json)?.includes('method') === false
}

/** The beginning of a large event from its first line of data on, and the id that stands before. */
function dataOf(bytes: Uint8Array): { readonly lines: Uint8Array; readonly id?: string } {
  let at = 0
  let id: string | undefined
  while (at < bytes.byteLength) {
    const lineEnd = bytes.indexOf(LF, at)
    if (lineEnd === -1) break
    const line = new TextDecoder().decode(
      bytes.subarray(at, Math.min(at + MAX_LINE_BYTES, lineEnd)),
    )
    if (line.startsWith('data:')) break
    if (line.startsWith('id:')) id = line.slice('id:'.length).trim()
    at = lineEnd + 1
  }
  return { lines: bytes.subarray(at), ...(id === undefined ? {} : { id }) }
}

/** Of a line that is not data; our sealed ids are shorter. */
const MAX_LINE_BYTES = 8_192
