import { faultResponse } from '../wire/fault-header.ts'
import type { RawId } from '../wire/reply.ts'
import type { Sent } from './connection.ts'

/** A stream of messages, of a request or of a session. */
export function eventAnswer(readable: ReadableStream<Uint8Array>): Response {
  return new Response(readable, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
  })
}

/** One message. `sessionId` is the session that it opens. */
export function jsonAnswer(text: string, sessionId?: string): Response {
  return new Response(text, {
    headers: {
      'content-type': 'application/json',
      ...(sessionId === undefined ? {} : { 'mcp-session-id': sessionId }),
    },
  })
}

/** A result that is known already. `result` is JSON. */
export function resultAnswer(id: RawId, result: string, sessionId?: string): Response {
  return jsonAnswer(`{"jsonrpc":"2.0","id":${id},"result":${result}}`, sessionId)
}

export function accepted(): Response {
  return new Response(null, { status: 202 })
}

/** The status that has whoever asked open the session anew. */
export function noSession(): Response {
  return new Response(null, { status: 404 })
}

/** A bound of ours is reached, which says nothing of the server. */
export function noRoom(): Response {
  return faultResponse('no_room')
}

/** Why a message did not go out. */
export function refusalAnswer(sent: Exclude<Sent, { kind: 'sent' }>): Response {
  if (sent.kind === 'fault') return faultResponse(sent.fault)
  const { status, body, headers } = sent.response
  const type = headers.get('content-type')
  return new Response(body, { status, headers: type === null ? {} : { 'content-type': type } })
}
