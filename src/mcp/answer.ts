import { type CallContext, GatewayError } from '../core/index.ts'
import { type AnswerPlan, rulesFor } from './answer-rules.ts'
import { statusError } from './upstream/failure.ts'
import { concat } from './wire/bytes.ts'
import { createJsonEditor, type JsonEditor } from './wire/json-editor.ts'
import { type Chunk, openSource, pump, type Source, type StreamEnd } from './wire/pump.ts'
import { readRpcError } from './wire/read-error.ts'
import { errorMessage } from './wire/reply.ts'
import { createSseEditor } from './wire/sse-editor.ts'

/**
 * Turns the upstream's response into the client's, streaming: the id is restored, denied tools are
 * left out, and every other byte of the body passes. Throws `upstream_failed` for what is no answer.
 */
export async function answer(
  ctx: CallContext,
  plan: AnswerPlan,
  response: Response,
): Promise<Response> {
  const type = (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
  if (response.body && response.ok && type === 'text/event-stream') {
    return streamAnswer(ctx, plan, response.body)
  }
  if (response.body && type === 'application/json') {
    if (response.status === 200) return jsonAnswer(ctx, plan, response, response.body)
    if (isErrorStatus(plan, response.status)) return errorAnswer(ctx, plan, response, response.body)
  }
  await response.body?.cancel()
  throw statusError(response.status, plan.server)
}

/** Statuses under which an MCP server may put a JSON-RPC error that is the client's business. */
function isErrorStatus(plan: AnswerPlan, status: number): boolean {
  return status === 400 || (status === 404 && plan.inbound.era === 'modern')
}

function streamAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  source: ReadableStream<Uint8Array>,
): Response {
  let isAnswered = false
  const editor = createSseEditor(
    rulesFor(ctx, plan, (id) => {
      if (id !== plan.upstreamId) return id
      isAnswered = true
      return plan.clientId
    }),
  )
  const body = pump({
    source: openSource(source, plan.timeoutMs),
    editor,
    conclude: (end, isCut) => {
      const hasAnswer = isAnswered && !(end === 'broken' && isCut)
      return hasAnswer ? { end: 'complete' } : { end, last: lostAnswer(ctx, plan) }
    },
    onEnd: endOfStream(ctx, plan),
  })
  return new Response(body, {
    headers: {
      ...plan.headers,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  })
}

async function jsonAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  response: Response,
  body: ReadableStream<Uint8Array>,
): Promise<Response> {
  const source = openSource(body, plan.timeoutMs)
  const first = await firstBytes(source)
  if (first.kind !== 'data') {
    await source.cancel()
    plan.onEnd(first.kind)
    throw brokenOff(plan.server)
  }
  const editor = jsonEditor(ctx, plan)
  const init = jsonInit(plan, response.status)
  if (isWhole(response, first.bytes)) {
    // Most answers arrive in one piece; a stream made of one piece would double their cost.
    const edited = concat([editor.write(first.bytes), editor.end()])
    plan.onEnd('complete')
    return new Response(edited, init)
  }
  const edited = pump({
    source,
    first: first.bytes,
    editor,
    conclude: (end) => ({ end }),
    onEnd: endOfStream(ctx, plan),
  })
  return new Response(edited, init)
}

/** The event line waits for the end of what streams. */
function endOfStream(ctx: CallContext, plan: AnswerPlan): (end: StreamEnd) => void {
  const release = ctx.holdEvent()
  return (end) => {
    plan.onEnd(end)
    release()
  }
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
  if (!whole) {
    await source.cancel()
    throw statusError(status, plan.server)
  }
  const editor = jsonEditor(ctx, plan)
  const edited = concat([editor.write(whole), editor.end()])
  plan.onEnd('complete')
  return new Response(edited, jsonInit(plan, status))
}

/** HTTP itself says that this body answers this request, so its id is ours to restore. */
function jsonEditor(ctx: CallContext, plan: AnswerPlan): JsonEditor {
  return createJsonEditor(rulesFor(ctx, plan, () => plan.clientId))
}

function jsonInit(plan: AnswerPlan, status: number): ResponseInit {
  const headers = {
    ...plan.headers,
    'content-type': 'application/json',
    'cache-control': 'no-store',
  }
  return { status, headers }
}

/** A chunk may be empty; what matters is whether anything comes. */
async function firstBytes(source: Source): Promise<Chunk> {
  for (;;) {
    const chunk = await source.read()
    if (chunk.kind !== 'data' || chunk.bytes.byteLength > 0) return chunk
  }
}

/** Whether the first chunk is all there will be. */
function isWhole(response: Response, first: Uint8Array): boolean {
  const { headers } = response
  return (
    !headers.has('content-encoding') && headers.get('content-length') === String(first.byteLength)
  )
}

function brokenOff(server: string): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server "${server}" closed the connection before its answer was complete.`,
    { fix: 'Whether the request took effect is unknown; check before you send it again.' },
  )
}

/** The last event of a stream that ended without the answer, so that no client waits for it. */
function lostAnswer(ctx: CallContext, plan: AnswerPlan): Uint8Array {
  ctx.facts.outcome = 'upstream_failed'
  const message = errorMessage(brokenOff(plan.server), plan.clientId, ctx.requestId)
  return new TextEncoder().encode(`event: message\ndata: ${message}\n\n`)
}
