import type { CallContext } from '../core/index.ts'
import type { InboundNotification, InboundResponse } from './eras.ts'
import { idScope, type RequestRelayDeps } from './relay-request.ts'
import { sendInSession } from './send-in-session.ts'
import type { InFlight } from './session/in-flight.ts'
import type { LegacySession } from './session/sessions.ts'
import type { Target } from './target.ts'
import { statusError } from './upstream/failure.ts'
import { hopTwoHeaders } from './upstream/headers.ts'

/** A message without an answer of its own. */
export interface OneWay {
  readonly inbound: InboundNotification | InboundResponse
  readonly target: Target
  readonly session?: LegacySession
}

/**
 * Passes a legacy notification, or a client's response to its server's request, on: 202.
 * A modern client has nothing to notify over HTTP (a disconnect is its cancel), so what it sends is
 * accepted and dropped (MCP 2026-07-28, Streamable HTTP). Throws `upstream_failed` when the upstream
 * did not take it.
 */
export function createOneWayRelay(
  deps: Pick<RequestRelayDeps, 'upstreams' | 'sessions' | 'inFlight'>,
) {
  return async function relayOneWay(ctx: CallContext, message: OneWay): Promise<Response> {
    const { inbound, target, session } = message
    const body = inbound.era === 'modern' ? undefined : await outgoingText(deps.inFlight, message)
    if (body !== undefined) {
      const { response } = await sendInSession(ctx, deps, message, (sessionId) => ({
        server: target.server,
        method: 'POST',
        body,
        canRetry: false,
        headers: hopTwoHeaders({
          custom: target.server.headers,
          ...(inbound.version === undefined ? {} : { version: inbound.version }),
          ...(sessionId === undefined ? {} : { sessionId }),
        }),
        ...(session ? { pinned: session.endpoint } : {}),
      }))
      await response.body?.cancel()
      if (!response.ok) throw statusError(response.status, target.server.path)
    }
    return new Response(null, { status: 202, headers: { 'cache-control': 'no-store' } })
  }
}

/** The text to send; undefined for a cancel of a request that does not run (any more). */
async function outgoingText(
  inFlight: InFlight,
  { inbound, target, session }: OneWay,
): Promise<string | undefined> {
  if (inbound.kind !== 'notification' || inbound.method !== 'notifications/cancelled') {
    return inbound.text
  }
  const scope = idScope(target, session, undefined)
  const call = await inFlight.find(scope, inbound.params['requestId'])
  if (!call) return undefined
  const params = { ...inbound.params, requestId: JSON.parse(call.upstreamId) }
  return JSON.stringify({ jsonrpc: '2.0', method: inbound.method, params })
}
