import type { CallContext, GatewayError } from '../../core/index.ts'
import { concat } from '../wire/bytes.ts'
import { type EventFields, isForeignType, readEvent, writeEvent } from '../wire/event-fields.ts'
import { createEventSplitter } from '../wire/event-splitter.ts'
import { createJsonEditor } from '../wire/json-editor.ts'
import { parseMessage } from '../wire/parse-message.ts'
import { emptyTalk, lostAnswer, malformed, tooLarge } from './answer-errors.ts'
import { type AnswerPlan, rulesFor } from './answer-rules.ts'
import { judge, withId } from './judge.ts'
import { type LargeEvent, openLargeEvent } from './large-event.ts'
import { isShallow, withOnlyId } from './only-id.ts'
import { sealMembers } from './sealed-members.ts'

/** What has passed a gate so far. */
export interface Passed {
  /** The response to our request. */
  readonly isAnswered: boolean
  /** Something that no honest server sends: malformed, foreign, a second response, too large. */
  readonly isFaulty: boolean
  /** Events had ids: the client may come back for the rest of a stream that ends. */
  readonly isResumable: boolean
  /** Nothing more can follow; what was promised stays open for this reason. */
  readonly broken: GatewayError | undefined
  /** That reason is a bound of ours. */
  readonly isBounded: boolean
}

/** Judges and edits an upstream's stream of events. */
export interface EventGate {
  /** The events that may be handed on now. */
  write(chunk: Uint8Array): Promise<Uint8Array>
  /** What ends an event that the stream's end cut off in passing. */
  end(): Uint8Array
  /** Whether the client has the beginning of an event whose end is still to come. */
  isWithinLarge(): boolean
  /** The number of the message whose end is still to come; undefined between messages. */
  begun(): number | undefined
  readonly passed: Passed
}

/** An event up to this size is judged whole; a larger one flows through, judged as it passes. */
export const MAX_HELD_BYTES = 256 * 1024

/** What a client can bring back in a header: visible ASCII, well below the limits of headers. */
const SEALABLE_ID = /^[\x21-\x7e]([\x20-\x7e]{0,1022}[\x21-\x7e])?$/
/** Of what holds no message, in one stream: a comment every second for half a day. */
const MAX_EMPTY_BYTES = 1024 * 1024
const NOTHING = new Uint8Array(0)

/** @see EventGate */
export function createEventGate(ctx: CallContext, plan: AnswerPlan): EventGate {
  const splitter = createEventSplitter(MAX_HELD_BYTES)
  const encoder = new TextEncoder()
  const passed = {
    isAnswered: false,
    isFaulty: false,
    isResumable: false,
    broken: undefined as GatewayError | undefined,
    isBounded: false,
  }
  let emptyBytes = 0
  let large: LargeEvent | undefined
  /** Of the message that is being edited. */
  let kind: 'answer' | 'request' | 'notification' = 'notification'
  let sealed: Awaited<ReturnType<typeof sealMembers>>
  // Most messages pass as they are, and need none.
  const editing = once(() =>
    createJsonEditor(
      rulesFor(ctx, plan, {
        id: (raw) => {
          if (kind === 'answer') return plan.clientId
          return kind === 'request' && plan.names ? plan.names.serverRequestId(raw) : raw
        },
        requestState: (raw) => sealed?.requestState(raw) ?? raw,
        taskId: (raw) => sealed?.taskId(raw) ?? raw,
      }),
    ),
  )

  function countEmpty(bytes: Uint8Array): void {
    emptyBytes += bytes.byteLength
    if (emptyBytes <= MAX_EMPTY_BYTES) return
    passed.isFaulty = true
    passed.broken ??= emptyTalk(plan.server, MAX_EMPTY_BYTES)
  }

  /** The message as the client may see it; undefined for one that it may not. */
  async function edit(text: string, message: unknown): Promise<string | undefined> {
    const verdict = judge(message, plan.upstreamId)
    // A server of 2026-07-28 asks nothing on its own (MCP 2026-07-28, Streamable HTTP).
    const isUnasked = verdict.kind === 'request' && plan.inbound.era === 'modern'
    if (verdict.kind === 'malformed' || verdict.kind === 'foreign' || isUnasked) {
      passed.isFaulty = true
      return undefined
    }
    if (verdict.kind === 'answer') {
      if (passed.isAnswered) {
        passed.isFaulty = true
        return undefined
      }
      passed.isAnswered = true
    }
    const progress = verdict.kind === 'notification' ? verdict.progress : undefined
    if (progress && !plan.showsProgress(progress.token)) return undefined
    // Where several servers meet the gateway itself tells of their lists, once and when it knows
    // the new ones (`notices/`).
    if (verdict.kind === 'notification' && verdict.isListChange && plan.names) return undefined
    // Without names of other servers in it nothing of a notification changes.
    if (verdict.kind === 'notification' && !plan.names && isShallow(text)) return text
    if (verdict.kind === 'answer') {
      const only = withOnlyId(ctx, plan, text, message)
      if (only !== undefined) return only
    }
    kind = verdict.kind
    sealed = verdict.kind === 'answer' ? await sealMembers(plan, verdict) : undefined
    if (verdict.kind === 'answer' && !sealed) {
      // No text, or too large to be sealed: the answer cannot be given.
      passed.isAnswered = false
      passed.broken = malformed(plan.server)
      return undefined
    }
    const known = verdict.kind === 'answer' ? withId(text, verdict) : text
    const editor = editing()
    const head = editor.write(encoder.encode(known))
    const isWhole = editor.isWhole()
    const edited = concat([head, editor.end()])
    if (!isWhole) {
      // Nested deeper than anyone reads.
      passed.isFaulty = true
      if (kind === 'answer') passed.isAnswered = false
      return undefined
    }
    return new TextDecoder().decode(edited)
  }

  /** A server of 2025-03-26 may batch; a client gets each message by itself. */
  async function editAll(text: string): Promise<string[]> {
    const message = parseMessage(text)
    if (!Array.isArray(message)) return [await edit(text, message)].flatMap((one) => one ?? [])
    const all: string[] = []
    for (const [index, raw] of elementsOf(text).entries()) {
      all.push(...[await edit(raw, message[index])].flatMap((one) => one ?? []))
    }
    return all
  }

  async function sealedId(id: string | undefined): Promise<string | undefined> {
    if (id === undefined || !SEALABLE_ID.test(id) || !plan.sealEventId) return undefined
    passed.isResumable = true
    return plan.sealEventId(id)
  }

  async function whole(bytes: Uint8Array): Promise<string> {
    const fields = readEvent(bytes)
    if (!fields) {
      passed.isFaulty = true
      return ''
    }
    const { data, others } = fields
    if (data === undefined || data === '') countEmpty(bytes)
    // No client of MCP reads an event of another type.
    if (data !== undefined && isForeignType(others)) {
      countEmpty(bytes)
      return ''
    }
    if (data === '' && !(plan.takesPriming && fields.id !== undefined)) return ''
    const id = await sealedId(fields.id)
    if (data === undefined || data === '') return writeEvent({ data, id, others })
    const messages = await editAll(data)
    return messages
      .map((message, index): EventFields => {
        const isLast = index === messages.length - 1
        return { data: message, id: isLast ? id : undefined, others: isLast ? others : [] }
      })
      .map(writeEvent)
      .join('')
  }

  async function begin(bytes: Uint8Array): Promise<Uint8Array> {
    large = openLargeEvent(ctx, plan, bytes, passed.isAnswered)
    const id = await sealedId(large.id)
    const head = id === undefined ? '' : `id: ${id}\n`
    return concat([encoder.encode(head), large.write(bytes)])
  }

  function finish(event: LargeEvent): Uint8Array {
    large = undefined
    const { isAnswer, isFaulty, isBroken, isTooLarge, rest } = event.end()
    passed.isAnswered ||= isAnswer
    passed.isFaulty ||= isFaulty
    if (!isBroken || passed.broken) return rest
    passed.isBounded = isTooLarge
    passed.broken = (isTooLarge ? tooLarge : lostAnswer)(plan.server)
    return rest
  }

  return {
    passed,
    end: () => (large ? finish(large) : NOTHING),
    isWithinLarge: () => large !== undefined,
    begun: () => splitter.begun(),
    async write(chunk) {
      const out: Uint8Array[] = []
      for (const piece of splitter.split(chunk)) {
        if (passed.broken) break
        if (piece.kind === 'event') out.push(encoder.encode(await whole(piece.bytes)))
        else if (piece.kind === 'start') out.push(await begin(piece.bytes))
        else if (piece.kind === 'more' && large) out.push(large.write(piece.bytes))
        if (large?.isDropped && piece.kind !== 'end') countEmpty(piece.bytes)
        if (large && (piece.kind === 'end' || large.isTooLarge())) out.push(finish(large))
      }
      return concat(out)
    },
  }
}

/** The elements of an array as they stand in its text. */
function elementsOf(text: string): string[] {
  const elements: string[] = []
  const collector = createJsonEditor({
    keepElement: (raw) => {
      elements.push(raw)
      return false
    },
  })
  collector.write(new TextEncoder().encode(text))
  collector.end()
  return elements
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}
