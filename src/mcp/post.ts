import {
  type CallContext,
  callerFacts,
  createDeadline,
  endsItsRequest,
  leaveDeadline,
  type Principal,
  type RequestFacts,
  takeDeadline,
} from '../core/index.ts'
import { type BodyBounds, requestText } from '../http/index.ts'
import { isBatch, readBatch, requireBatchVersion, serveBatch } from './batch.ts'
import { batchFacts } from './batch-facts.ts'
import { classify, type Inbound, readMessage } from './eras.ts'
import type { Refuse } from './refusal.ts'
import type { Relay } from './relay.ts'
import { type Sessions, sessionOf } from './session/sessions.ts'

export interface PostDeps {
  readonly relay: Relay
  readonly refuse: Refuse
  readonly sessions: Sessions
  readonly body: BodyBounds
}

/** POST at an MCP endpoint: reads the body, has each message relayed, renders what is refused. */
export function createPost({ relay, refuse, sessions, body: bounds }: PostDeps) {
  return async function post(
    ctx: CallContext,
    principal: Principal,
    path: string,
    request: Request,
  ): Promise<Response> {
    const { headers } = request
    try {
      const deadline = createDeadline(bounds.timeoutMs, ctx.caller, true)
      const text = await requestText(request, bounds, deadline)
      // One timer for a whole call: what waits for its server takes this one. Not for a message within
      // another request, such as a stream of 2024-11-05: that goes on when the message is answered.
      if (endsItsRequest(ctx)) leaveDeadline(ctx, deadline)
      else deadline.end()
      if (!isBatch(text)) return await serve(ctx, principal, path, headers, text)
      Object.assign(ctx.facts, { server: path, method: 'batch' })
      const messages = readBatch(text)
      ctx.facts.messages = messages.length
      const session = await sessionOf(ctx, sessions, principal, path, headers)
      requireBatchVersion(headers.get('mcp-protocol-version'), session?.hello?.protocolVersion)
      return await serveAll(ctx, principal, path, headers, messages)
    } catch (thrown) {
      return refuse(ctx, { path }, thrown)
    } finally {
      takeDeadline(ctx)?.end()
    }
  }

  /** A batch, which has one event line for all its messages. */
  async function serveAll(
    ctx: CallContext,
    principal: Principal,
    path: string,
    headers: Headers,
    messages: readonly string[],
  ): Promise<Response> {
    const parts: RequestFacts[] = []
    const { response, isWhole } = await serveBatch(messages, (message) => {
      const facts = callerFacts(ctx.facts)
      parts.push(facts)
      const part: CallContext = { ...ctx, facts, holdEvent: () => () => undefined }
      return serve(part, principal, path, headers, message)
    })
    const release = ctx.holdEvent()
    const end = isWhole.then((whole) => {
      Object.assign(ctx.facts, batchFacts(parts, whole))
      release()
    })
    ctx.waitUntil(end)
    return response
  }

  /** One message, as if it had come alone. Never throws. */
  async function serve(
    ctx: CallContext,
    principal: Principal,
    path: string,
    headers: Headers,
    text: string,
  ): Promise<Response> {
    const known: { path: string; id?: string; inbound?: Inbound } = { path }
    try {
      const message = readMessage(text)
      if (message.id) known.id = text.slice(message.id.start, message.id.end)
      known.inbound = classify(message, headers)
      noteFacts(ctx, path, known.inbound)
      return await relay.message(ctx, principal, path, headers, known.inbound)
    } catch (thrown) {
      return refuse(ctx, known, thrown)
    }
  }
}

function noteFacts(ctx: CallContext, path: string, inbound: Inbound): void {
  ctx.facts.server = path
  ctx.facts.era = inbound.era
  if (inbound.kind === 'response') return
  ctx.facts.method = inbound.method.slice(0, 64)
  if (inbound.kind === 'request' && inbound.method === 'tools/call' && inbound.name !== undefined) {
    ctx.facts.tool = inbound.name.slice(0, 128)
  }
}
