import {
  andThen,
  type CallContext,
  contentLength,
  type Deadline,
  GatewayError,
  type MaybePromise,
  mediaType,
  textAsSent,
} from '../../core/index.ts'
import { statusError } from '../upstream/failure.ts'
import { concat, isSpace, OPEN_OBJECT } from '../wire/bytes.ts'
import { whileHeard } from '../wire/cut-response.ts'
import { createJsonEditor } from '../wire/json-editor.ts'
import { createMessageTime } from '../wire/message-time.ts'
import { parseMessage } from '../wire/parse-message.ts'
import { type Chunk, openSource, type Source, type StreamEnd } from '../wire/pump.ts'
import { readRpcError } from '../wire/read-error.ts'
import { DEFAULT_STREAM_BOUNDS } from '../wire/stream-bounds.ts'
import { fellSilent, lostAnswer, malformed, tooLarge, tooSlow } from './answer-errors.ts'
import { type AnswerPlan, rulesFor } from './answer-rules.ts'
import { MAX_HELD_BYTES } from './event-gate.ts'
import { answerStream } from './event-stream.ts'
import { jsonResponse } from './json-response.ts'
import { judge, withId } from './judge.ts'
import { largeAnswer } from './large-answer.ts'
import { MAX_MESSAGE_BYTES } from './large-event.ts'
import { withOnlyId } from './only-id.ts'
import { sealMembers } from './sealed-members.ts'

/**
 * Turns the upstream's response into the client's: judged, the id restored, denied tools left out,
 * and every other byte as it was. Small messages are judged whole, large ones as they flow. Throws
 * `upstream_failed` for what is no answer.
 */
export function answer(ctx: CallContext, plan: AnswerPlan, response: Response): Promise<Response> {
  const type = mediaType(response.headers.get('content-type'))
  if (type === 'application/json' && response.status === 200) {
    const size = plainSize(response)
    // Its stream is not looked at: each object that the platform makes costs its own collection.
    if (plan.bodyDeadline && size > 0 && size <= MAX_HELD_BYTES) {
      return smallAnswer(ctx, plan, response, size, plan.bodyDeadline)
    }
  }
  return flowingAnswer(ctx, plan, response, type)
}

async function flowingAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  given: Response,
  type: string | undefined,
): Promise<Response> {
  plan.bodyDeadline?.end()
  if (given.body && given.ok && type === 'text/event-stream') {
    return answerStream(ctx, plan, given.body)
  }
  // A refusal was given such a body by who sent the call.
  const response = given.ok ? whileHeard(ctx, given, plan.bodyDeadline) : given
  if (response.body && type === 'application/json') {
    if (response.status === 200) return jsonAnswer(ctx, plan, response, response.body)
    if (isErrorStatus(plan, response.status)) return errorAnswer(ctx, plan, response, response.body)
  }
  await response.body?.cancel().catch(() => undefined)
  // Who accepts a request owes its answer.
  if (response.ok) plan.onEnd('broken')
  throw statusError(response.status, plan.server)
}

/** Statuses under which an MCP server may put a JSON-RPC error that is the client's business. */
function isErrorStatus(plan: AnswerPlan, status: number): boolean {
  return status === 400 || (status === 404 && plan.inbound.era === 'modern')
}

async function jsonAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  response: Response,
  body: ReadableStream<Uint8Array>,
): Promise<Response> {
  const size = plainSize(response)
  const source = openSource(body, plan.timeoutMs)
  if ((contentLength(response.headers) ?? 0) > MAX_MESSAGE_BYTES) {
    return refuse(plan, tooLarge(plan.server), source, 'bounded')
  }
  const { messageMs, stallMs } = plan.bounds ?? DEFAULT_STREAM_BOUNDS
  const time = createMessageTime(ctx.clock, source, messageMs)
  let isMute = false
  const heard = (chunk: Chunk) => {
    isMute = chunk.kind === 'silent'
    return chunk.kind === 'silent' ? ({ kind: 'broken' } as const) : chunk
  }
  const read = async () => heard(await time.readWithin(plan.timeoutMs, 0))
  // The first wait is that for a server which works; those within a message are another thing.
  const readFirst = async () => heard(await source.readWithin(plan.timeoutMs))
  const { bytes, isWhole } = await readSome(readFirst, read, size)
  if (bytes === undefined) {
    const silent = isMute ? fellSilent(plan.server, plan.timeoutMs / 1_000) : lost(plan)
    const error = time.isLate() ? tooSlow(plan.server, messageMs / 1_000) : silent
    return refuse(plan, error, source)
  }
  if (!isWhole) {
    // Whatever it is, it is no message; and once begun, nothing could be said of it any more.
    if (!beginsObject(bytes)) return refuse(plan, malformed(plan.server), source)
    return largeAnswer(ctx, plan, { ...source, read }, bytes, response.status, stallMs)
  }
  return wholeAnswer(ctx, plan, decode(bytes), response.status, source)
}

/** A body known to be small, in one go and under its deadline. */
async function smallAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  response: Response,
  size: number,
  deadline: Deadline,
): Promise<Response> {
  let text: string | undefined
  try {
    const whole = await deadline.within(response.text())
    text = whole === undefined ? undefined : withoutMark(textAsSent(whole, size))
  } catch (thrown) {
    // What is no UTF-8 is no JSON.
    text = thrown instanceof GatewayError ? '' : undefined
  } finally {
    deadline.end()
  }
  if (text !== undefined) return wholeAnswer(ctx, plan, text, response.status)
  const isLate = deadline.isPassed()
  return refuse(plan, isLate ? tooSlow(plan.server, plan.timeoutMs / 1_000) : lost(plan))
}

function lost({ server, lateAfterMs }: AnswerPlan): GatewayError {
  return lostAnswer(server, lateAfterMs?.())
}

/**
 * Bytes that the body will be, where its headers say so and the platform sees to it; infinite where
 * they do not. In chunks it is as long as they are, whatever else is said (RFC 9112 section 6.3).
 */
function plainSize({ headers }: Response): number {
  const size = contentLength(headers)
  const isPlain = !headers.has('content-encoding') && !headers.has('transfer-encoding')
  return size !== undefined && isPlain ? size : Number.POSITIVE_INFINITY
}

/** As `decode` drops it. */
function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

/** The beginning of a body: all of it when it is small. Undefined when there is not even that. */
async function readSome(
  readFirst: Source['read'],
  readOn: Source['read'],
  wholeSize: number,
): Promise<{ readonly bytes: Uint8Array | undefined; readonly isWhole: boolean }> {
  const parts: Uint8Array[] = []
  for (let size = 0; size <= MAX_HELD_BYTES; ) {
    const chunk = await (size === 0 ? readFirst() : readOn())
    if (chunk.kind === 'broken') return { bytes: undefined, isWhole: false }
    if (chunk.kind === 'complete') {
      return { bytes: parts.length === 0 ? undefined : concat(parts), isWhole: true }
    }
    parts.push(chunk.bytes)
    size += chunk.bytes.byteLength
    // Most answers arrive in one piece: waiting to hear that it was all would double their cost.
    if (size === wholeSize && size <= MAX_HELD_BYTES) return { bytes: concat(parts), isWhole: true }
  }
  return { bytes: concat(parts), isWhole: false }
}

/** Throws `upstream_failed` for what is not the one response to our request. */
function wholeAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  text: string,
  status: number,
  source?: Source,
): MaybePromise<Response> {
  const message = parseMessage(text)
  const verdict = judge(message, plan.upstreamId)
  const edited =
    verdict.kind === 'answer'
      ? (withOnlyId(ctx, plan, text, message) ?? editedAnswer(ctx, plan, text, verdict))
      : undefined
  return andThen<string | Uint8Array | undefined, Response>(edited, (given) => {
    if (given === undefined) return refuse(plan, malformed(plan.server), source)
    plan.onEnd('complete')
    return jsonResponse(plan, given, status)
  })
}

/** Undefined for what cannot be given. */
async function editedAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  text: string,
  verdict: { readonly state: unknown; readonly task: unknown; readonly hasId: boolean },
): Promise<Uint8Array | undefined> {
  const sealed = await sealMembers(plan, verdict)
  if (!sealed) return undefined
  const editor = createJsonEditor(rulesFor(ctx, plan, { id: () => plan.clientId, ...sealed }))
  const whole = new TextEncoder().encode(verdict.hasId ? text : withId(text, verdict))
  const head = editor.write(whole)
  // Nested deeper than anyone reads.
  return editor.isWhole() ? concat([head, editor.end()]) : undefined
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/** Empty for what is no UTF-8, and so no JSON. */
function decode(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    // The caller answers for it.
    return ''
  }
}

/** Whether the first byte that is no white space opens an object. */
function beginsObject(bytes: Uint8Array): boolean {
  return bytes[bytes.findIndex((byte) => !isSpace(byte))] === OPEN_OBJECT
}

/** The upstream's own error, when it is one. */
async function errorAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  { status }: Response,
  body: ReadableStream<Uint8Array>,
): Promise<Response> {
  const source = openSource(body, plan.timeoutMs)
  const whole = await readRpcError(source)
  // A refused request may not have been read so far as its id: the status says whose answer it is.
  const text = whole && decode(whole)
  const hasId = Object.hasOwn(Object(parseMessage(text ?? '')), 'id')
  const verdict = { state: undefined, task: undefined, hasId }
  const edited = text && (await editedAnswer(ctx, plan, text, verdict))
  if (!edited) {
    await source.cancel()
    throw statusError(status, plan.server)
  }
  plan.onEnd('complete')
  return jsonResponse(plan, edited, status)
}

async function refuse(
  plan: AnswerPlan,
  error: GatewayError,
  source?: Source,
  end: StreamEnd = 'broken',
): Promise<never> {
  await source?.cancel()
  plan.onEnd(end)
  throw error
}
