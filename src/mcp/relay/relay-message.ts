import type { CallContext } from '../../core/index.ts'
import type { InboundNotification, InboundResponse } from '../eras.ts'
import { idScope } from '../session/id-scope.ts'
import type { InFlight } from '../session/in-flight.ts'
import type { LegacySession } from '../session/sessions.ts'
import { statusError } from '../upstream/failure.ts'
import { hopTwoHeaders } from '../upstream/headers.ts'
import { acceptedReply } from '../wire/reply.ts'
import { type SendInSessionDeps, sendInSession } from './send-in-session.ts'
import type { Target } from './target.ts'

/** A message without an answer of its own. */
export interface OneWay {
  readonly inbound: InboundNotification | InboundResponse
  readonly target: Target
  readonly session?: LegacySession
}

/** Such a message as its server must see it: ids and names are the server's own. */
export interface OneWayText {
  readonly text: string
  readonly target: Target
  readonly session?: LegacySession
  /** The revision to announce. */
  readonly version: string | undefined
}

/** Sends the text as it is. Throws `upstream_failed` when the upstream did not take it. */
export type SendOneWay = (ctx: CallContext, message: OneWayText) => Promise<void>

/** @see SendOneWay */
export function createOneWaySender(deps: SendInSessionDeps): SendOneWay {
  return async (ctx, message) => {
    const { text, target, session, version } = message
    const { response, end } = await sendInSession(ctx, deps, message, (sessionId) => ({
      server: target.server,
      method: 'POST',
      body: text,
      canRetry: false,
      headers: hopTwoHeaders({
        custom: target.server.headers,
        ...(version === undefined ? {} : { version }),
        ...(sessionId === undefined ? {} : { sessionId }),
      }),
      ...(session ? { pinned: session.endpoint } : {}),
    }))
    end()
    await response.body?.cancel().catch(() => undefined)
    if (!response.ok) throw statusError(response.status, target.server.path)
  }
}

/**
 * Passes a legacy notification, or a client's response to its server's request, on: 202.
 * A modern client has nothing to notify over HTTP (a disconnect is its cancel), so what it sends is
 * accepted and dropped (MCP 2026-07-28, Streamable HTTP). Throws `upstream_failed` when the upstream
 * did not take it.
 */
export function createOneWayRelay(deps: {
  readonly inFlight: InFlight
  readonly sendOneWay: SendOneWay
}) {
  return async function relayOneWay(ctx: CallContext, message: OneWay): Promise<Response> {
    const { inbound } = message
    const text = inbound.era === 'modern' ? undefined : await outgoingText(deps.inFlight, message)
    if (text !== undefined) {
      await deps.sendOneWay(ctx, { ...message, text, version: inbound.version })
    }
    return acceptedReply()
  }
}

/**
 * The text to send; undefined for a cancel of a request that does not run (any more), and for an
 * answer without a session: nobody could tell whose question it answers.
 */
async function outgoingText(
  inFlight: InFlight,
  { inbound, target, session }: OneWay,
): Promise<string | undefined> {
  if (!session && isAnswer(inbound)) return undefined
  if (inbound.kind !== 'notification' || inbound.method !== 'notifications/cancelled') {
    return inbound.text
  }
  const scope = idScope({ target, ...(session ? { session } : {}) })
  const call = await inFlight.find(scope, inbound.params['requestId'])
  return call && cancelText(inbound, call.upstreamId)
}

/** What only somebody who was asked something can have to say. */
function isAnswer(inbound: OneWay['inbound']): boolean {
  return inbound.kind === 'response' || inbound.method === 'notifications/progress'
}

/** The gateway's own cancel of a request that its server knows by this id, raw JSON. */
export function cancelRequest(upstreamId: string, reason = 'The client left.'): string {
  const params = { requestId: JSON.parse(upstreamId), reason }
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
}

/** A cancel of the request that its server knows by this id, raw JSON. */
export function cancelText({ method, params }: InboundNotification, upstreamId: string): string {
  const named = { ...params, requestId: JSON.parse(upstreamId) }
  return JSON.stringify({ jsonrpc: '2.0', method, params: named })
}
