import { type CallContext, type GatewayError, mediaType } from '../../core/index.ts'
import { statusError } from '../upstream/failure.ts'
import { concat } from '../wire/bytes.ts'
import { createJsonEditor } from '../wire/json-editor.ts'
import { parseMessage } from '../wire/parse-message.ts'
import { openSource, type Source, type Step } from '../wire/pump.ts'
import { readRpcError } from '../wire/read-error.ts'
import { lostAnswer, malformed, tooLarge } from './answer-errors.ts'
import { type AnswerPlan, rulesFor } from './answer-rules.ts'
import { MAX_HELD_BYTES } from './event-gate.ts'
import { answerStream } from './event-stream.ts'
import { heldBody } from './held-body.ts'
import { judge, withId } from './judge.ts'
import { MAX_MESSAGE_BYTES } from './large-event.ts'
import { sealMembers } from './sealed-members.ts'

/**
 * Turns the upstream's response into the client's: judged, the id restored, denied tools left out,
 * and every other byte as it was. Small messages are judged whole, large ones as they flow. Throws
 * `upstream_failed` for what is no answer.
 */
export async function answer(
  ctx: CallContext,
  plan: AnswerPlan,
  response: Response,
): Promise<Response> {
  const type = mediaType(response.headers.get('content-type'))
  if (response.body && response.ok && type === 'text/event-stream') {
    return answerStream(ctx, plan, response.body)
  }
  if (response.body && type === 'application/json') {
    if (response.status === 200) return jsonAnswer(ctx, plan, response, response.body)
    if (isErrorStatus(plan, response.status)) return errorAnswer(ctx, plan, response, response.body)
  }
  await response.body?.cancel()
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
  const source = openSource(body, plan.timeoutMs)
  if (Number(response.headers.get('content-length') ?? 0) > MAX_MESSAGE_BYTES) {
    return refuse(plan, source, tooLarge(plan.server))
  }
  const { bytes, isWhole } = await readSome(source, response)
  if (bytes === undefined)
    return refuse(plan, source, lostAnswer(plan.server, plan.lateAfterMs?.()))
  if (!isWhole) return largeAnswer(ctx, plan, source, bytes, response.status)
  const edited = await wholeAnswer(ctx, plan, bytes)
  if (!edited) return refuse(plan, source, malformed(plan.server))
  plan.onEnd('complete')
  return new Response(edited, jsonInit(plan, response.status))
}

/** The beginning of a body: all of it when it is small. Undefined when there is not even that. */
async function readSome(
  source: Source,
  { headers }: Response,
): Promise<{ readonly bytes: Uint8Array | undefined; readonly isWhole: boolean }> {
  const parts: Uint8Array[] = []
  for (let size = 0; size <= MAX_HELD_BYTES; ) {
    const chunk = await source.read()
    if (chunk.kind === 'broken') return { bytes: undefined, isWhole: false }
    if (chunk.kind === 'complete') {
      return { bytes: parts.length === 0 ? undefined : concat(parts), isWhole: true }
    }
    parts.push(chunk.bytes)
    size += chunk.bytes.byteLength
    // Most answers arrive in one piece: waiting to hear that it was all would double their cost.
    const isAll = headers.get('content-length') === String(size) && !headers.has('content-encoding')
    if (isAll && size <= MAX_HELD_BYTES) return { bytes: concat(parts), isWhole: true }
  }
  return { bytes: concat(parts), isWhole: false }
}

/** Undefined for what is not the one response to our request. */
async function wholeAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  bytes: Uint8Array,
): Promise<Uint8Array | undefined> {
  const text = decode(bytes)
  const verdict = judge(parseMessage(text), plan.upstreamId)
  if (verdict.kind !== 'answer') return undefined
  return editedAnswer(ctx, plan, bytes, text, verdict)
}

/** @see wholeAnswer */
async function editedAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  bytes: Uint8Array,
  text: string,
  verdict: { readonly state: unknown; readonly task: unknown; readonly hasId: boolean },
): Promise<Uint8Array | undefined> {
  const sealed = await sealMembers(plan, verdict)
  if (!sealed) return undefined
  const editor = createJsonEditor(rulesFor(ctx, plan, { id: () => plan.clientId, ...sealed }))
  const whole = verdict.hasId ? bytes : new TextEncoder().encode(withId(text, verdict))
  const head = editor.write(whole)
  // Nested deeper than anyone reads.
  return editor.isWhole() ? concat([head, editor.end()]) : undefined
}

/** Empty for what is no UTF-8, and so no JSON. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    // The caller answers for it.
    return ''
  }
}

/** What has been written cannot be taken back: a fault that shows later breaks the connection. */
function largeAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  source: Source,
  first: Uint8Array,
  status: number,
): Response {
  let pending: Uint8Array | undefined = first
  let size = 0
  let isOurs = false
  let isUnsealable = false
  const editor = createJsonEditor(
    rulesFor(ctx, plan, {
      id(raw) {
        isOurs = raw === plan.upstreamId
        return isOurs ? plan.clientId : 'null'
      },
      // It cannot be sealed in passing, and nobody may hold an upstream's own.
      requestState(raw) {
        isUnsealable ||= plan.sealState !== undefined
        return plan.sealState ? '' : raw
      },
      // Nor can the id of a task.
      resultType(raw) {
        isUnsealable ||= raw === '"task"'
        return raw
      },
    }),
  )

  async function next(): Promise<Step> {
    const chunk = pending ? ({ kind: 'data', bytes: pending } as const) : await source.read()
    pending = undefined
    if (chunk.kind === 'data') {
      size += chunk.bytes.byteLength
      if (size <= MAX_MESSAGE_BYTES) return { bytes: editor.write(chunk.bytes) }
      return { bytes: new Uint8Array(0), end: 'broken', breaksOff: true }
    }
    const isSound = chunk.kind === 'complete' && editor.isWhole() && isOurs && !isUnsealable
    const bytes = editor.end()
    return isSound ? { bytes, end: 'complete' } : { bytes, end: 'broken', breaksOff: true }
  }

  const body = heldBody(ctx, { source, next, onEnd: plan.onEnd })
  return new Response(body, jsonInit(plan, status))
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
  const edited = whole && text && (await editedAnswer(ctx, plan, whole, text, verdict))
  if (!edited) {
    await source.cancel()
    throw statusError(status, plan.server)
  }
  plan.onEnd('complete')
  return new Response(edited, jsonInit(plan, status))
}

async function refuse(plan: AnswerPlan, source: Source, error: GatewayError): Promise<never> {
  await source.cancel()
  plan.onEnd('broken')
  throw error
}

function jsonInit(plan: AnswerPlan, status: number): ResponseInit {
  const headers = {
    ...plan.headers,
    'content-type': 'application/json',
    'cache-control': 'no-store',
  }
  return { status, headers }
}
