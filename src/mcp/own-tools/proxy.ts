import { type CallContext, GatewayError } from '../../core/index.ts'
import { type Actor, notFoundServer } from '../../policy/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import type { Answer, Ask } from '../ask/ask.ts'
import type { ClientMessage } from '../ask/ask-request.ts'
import { openLeg } from '../ask/ask-session.ts'

/** Sends one request to one server for an actor, in a session of its own where it needs one. */
export type ProxyRequest = (
  ctx: CallContext,
  actor: Actor,
  path: string,
  request: ClientMessage,
) => Promise<Answer>

/** A model cannot read more, and it is held several times over. */
const MAX_BYTES = 2 * 1024 * 1024

/**
 * @see ProxyRequest
 * Throws `not_found`, and what the relay refuses with. Only servers are reached: an endpoint where
 * several meet, or the gateway's own, would lead back here.
 */
export function createProxyRequest(deps: {
  readonly ask: Ask
  readonly snapshots: Pick<Snapshots, 'tenant'>
}): ProxyRequest {
  return async function proxyRequest(ctx, { principal }, path, request) {
    const snapshot = await deps.snapshots.tenant(ctx, principal.tenant)
    const server = await snapshot.server(ctx, path)
    if (!server?.enabled) throw notFoundServer(path)
    const leg = await openLeg(ctx, deps.ask, principal, server)
    try {
      return await deps.ask.request(ctx, principal, server, leg, request, MAX_BYTES)
    } catch (thrown) {
      throw withoutSession(thrown)
    } finally {
      ctx.waitUntil(deps.ask.end(ctx, principal, server.path, leg))
    }
  }
}

/** The session was ours; its end is the server's fault, and none that the caller can see. */
function withoutSession(thrown: unknown): unknown {
  const isSession = thrown instanceof GatewayError && thrown.code === 'session_not_found'
  return isSession
    ? new GatewayError('upstream_failed', 'The server ended the session before it answered.')
    : thrown
}
