import { SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server'
import { type CallContext, GatewayError } from '../core/index.ts'
import type { InboundRequest } from './eras.ts'
import { methodFacts } from './messages.ts'
import { statusError } from './upstream/failure.ts'
import { concat } from './wire/bytes.ts'
import { createJsonEditor, type JsonRule } from './wire/json-editor.ts'
import { type Chunk, openSource, pump, type Source, type StreamEnd } from './wire/pump.ts'
import { errorMessage, type RawId } from './wire/reply.ts'
import { createSseEditor } from './wire/sse-editor.ts'

/** What the answer to one request must become on its way to the client. */
export interface AnswerPlan {
  readonly inbound: InboundRequest
  /** The client's id, raw. */
  readonly clientId: RawId
  /** Our id towards the upstream, raw. */
  readonly upstreamId: RawId
  readonly server: string
  readonly timeoutMs: number
  /** Which tools `tools/list` may show. */
  readonly showsTool: 'all' | ((name: string) => boolean)
  /** Headers for the client, such as a sealed session id. */
  readonly headers?: Readonly<Record<string, string>>
  readonly onEnd: (end: StreamEnd) => void
}

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
  if (response.body && type === 'application/json' && isAnswerStatus(plan, response.status)) {
    return jsonAnswer(ctx, plan, response, response.body)
  }
  await response.body?.cancel()
  throw statusError(response.status, plan.server)
}

/** Statuses under which an MCP server may put a JSON-RPC error that is the client's business. */
function isAnswerStatus(plan: AnswerPlan, status: number): boolean {
  return status === 200 || status === 400 || (status === 404 && plan.inbound.era === 'modern')
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
    epilogue: () => (isAnswered ? undefined : lostAnswer(ctx, plan)),
    onEnd: plan.onEnd,
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
    throw brokenOff(plan.server)
  }
  // HTTP itself says that this body answers this request, so its id is ours to restore.
  const editor = createJsonEditor(rulesFor(ctx, plan, () => plan.clientId))
  const init = {
    status: response.status,
    headers: {
      ...plan.headers,
      'content-type': 'application/json',
      'cache-control': 'no-store',
    },
  }
  if (isWhole(response, first.bytes)) {
    // Most answers arrive in one piece; a stream made of one piece would double their cost.
    const edited = concat([editor.write(first.bytes), editor.end()])
    plan.onEnd('complete')
    return new Response(edited, init)
  }
  const { onEnd } = plan
  const edited = pump({ source, first: first.bytes, editor, epilogue: () => undefined, onEnd })
  return new Response(edited, init)
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

function rulesFor(ctx: CallContext, plan: AnswerPlan, id: (raw: string) => string): JsonRule {
  const { showsTool } = plan
  const note = (outcome: 'rpc_error' | 'tool_error', applies: (raw: string) => boolean) => ({
    replace: (raw: string) => {
      if (applies(raw)) ctx.facts.outcome = outcome
      return raw
    },
  })
  const { method } = plan.inbound
  const filter: Readonly<Record<string, JsonRule>> =
    method === 'tools/list' && showsTool !== 'all'
      ? { tools: { keepElement: (raw) => showsTool(toolName(raw)) } }
      : {}
  // Everything here is behind our authorization: what is public upstream is not public here.
  const cache: Readonly<Record<string, JsonRule>> = methodFacts(method).isCacheable
    ? { cacheScope: { replace: () => '"private"' } }
    : {}
  const subscription = subscriptionRule(plan)
  return {
    members: {
      id: { replace: id },
      params: subscription,
      error: note('rpc_error', () => true),
      result: {
        members: {
          isError: note('tool_error', (raw) => raw === 'true'),
          ...subscription.members,
          ...filter,
        },
      },
    },
  }
}

/**
 * Every message of a listen stream names the request that opened it, so the client's id stands
 * there too. Source: MCP 2026-07-28, subscriptions/listen.
 */
function subscriptionRule({ inbound, upstreamId, clientId }: AnswerPlan): JsonRule {
  if (inbound.method !== 'subscriptions/listen') return {}
  const restore = { replace: (raw: string) => (raw === upstreamId ? clientId : raw) }
  return { members: { _meta: { members: { [SUBSCRIPTION_ID_META_KEY]: restore } } } }
}

function toolName(raw: string): string {
  try {
    const tool: unknown = JSON.parse(raw)
    const name = typeof tool === 'object' && tool !== null && 'name' in tool ? tool.name : ''
    return typeof name === 'string' ? name : ''
  } catch {
    // Not a tool that anyone can be allowed: it is left out.
    return ''
  }
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
