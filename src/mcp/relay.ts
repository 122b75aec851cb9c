import { type CallContext, type Principal, readBounded, toGatewayError } from '../core/index.ts'
import { type Limits, requireAdmission } from '../limits/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import type { Snapshots } from '../registry/index.ts'
import { createEndSession } from './end-session.ts'
import { classify, type Inbound, readMessage } from './eras.ts'
import { createOneWayRelay } from './relay-message.ts'
import { createRequestRelay, type RequestRelayDeps, requireSession } from './relay-request.ts'
import type { LegacySession } from './sessions.ts'
import { authorise, requireSameEra, resolveTarget } from './target.ts'
import { errorReply, type RawId, statusOf } from './wire/reply.ts'

/**
 * The relay: one authenticated POST in, the upstream's answer out. Read `post` from top to bottom:
 * each line is a station, and the order is part of the contract (DESIGN.md, The path of a call).
 */
export interface Relay {
  post(ctx: CallContext, principal: Principal, path: string, request: Request): Promise<Response>
  /** Ends a legacy session. */
  delete(ctx: CallContext, principal: Principal, path: string, request: Request): Promise<Response>
}

export interface RelayDeps extends RequestRelayDeps {
  readonly snapshots: Snapshots
  readonly limits: Limits
  readonly events: Events
  readonly maxBodyBytes: number
  /** The `WWW-Authenticate` for a 403 on `/{path}/mcp`. */
  readonly challenge: (path: string, scope: string) => string
}

/** @see Relay */
export function createRelay(deps: RelayDeps): Relay {
  const relayRequest = createRequestRelay(deps)
  const relayOneWay = createOneWayRelay(deps)

  async function relay(
    ctx: CallContext,
    principal: Principal,
    path: string,
    headers: Headers,
    inbound: Inbound,
  ): Promise<Response> {
    const session = await sessionOf(principal, path, headers, inbound)
    // Before the server is looked for: guessing names must not be free.
    await requireAdmission(ctx, deps.limits, principal)
    const target = await resolveTarget(ctx, deps.snapshots, principal, path)
    authorise(target, inbound, (scope) => deps.challenge(path, scope))
    requireSession(target.server, inbound, session)
    requireSameEra(target.server, inbound)
    const common = { target, ...(session ? { session } : {}) }
    return inbound.kind === 'request'
      ? relayRequest(ctx, { inbound, headers, ...common })
      : relayOneWay(ctx, { inbound, ...common })
  }

  /** The session comes first: a client must learn that it is gone before anything else fails. */
  async function sessionOf(
    principal: Principal,
    path: string,
    headers: Headers,
    inbound: Inbound,
  ): Promise<LegacySession | undefined> {
    const id = headers.get('mcp-session-id')
    if (inbound.era === 'modern' || id === null) return undefined
    return deps.sessions.open(principal, path, id)
  }

  return {
    async post(ctx, principal, path, request) {
      let id: RawId = 'null'
      let inbound: Inbound | undefined
      try {
        const length = request.headers.get('content-length')
        const text = await readBounded(request.body, deps.maxBodyBytes, length)
        const message = readMessage(text)
        if (message.id) id = text.slice(message.id.start, message.id.end)
        inbound = classify(message, request.headers)
        noteFacts(ctx, path, inbound)
        return await relay(ctx, principal, path, request.headers, inbound)
      } catch (thrown) {
        const error = toGatewayError(thrown)
        ctx.facts.outcome = ctx.signal.aborted ? 'cancelled' : error.code
        if (error.code === 'internal') emitFault(deps.events, ctx, 'relay', thrown)
        return errorReply(error, id, ctx.requestId, statusOf(error.code, inbound))
      }
    },

    delete: createEndSession(deps),
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
