import type { HttpVerb } from '../http-verb.ts'
import type { Greeted } from './stream-ids.ts'

/** The endpoint that stands behind a stream; its permits have been spent. */
export interface SseEndpoint {
  /** One message, or a batch. */
  readonly post: HttpVerb
  /** The stream of what belongs to no request. */
  readonly get: HttpVerb
  /** Ends a session. */
  readonly delete: HttpVerb
}

/** The endpoint gets the path; a Request must have some URL. */
const NOWHERE = 'https://relay.invalid/'
/** Since then clients announce the revision in a header (MCP 2025-06-18, Protocol Version Header). */
const ANNOUNCED_SINCE = '2025-06-18'

/** A message as a client of Streamable HTTP would post it within this session. */
export function postRequest(greeted: Greeted, text: string): Request {
  const headers = headersOf(greeted)
  headers.set('content-type', 'application/json')
  headers.set('accept', 'application/json, text/event-stream')
  return new Request(NOWHERE, { method: 'POST', headers, body: text })
}

/** Opens the session's stream, or goes on with one behind an event. */
export function streamRequest(greeted: Greeted, lastEventId?: string): Request {
  const headers = headersOf(greeted)
  headers.set('accept', 'text/event-stream')
  if (lastEventId !== undefined) headers.set('last-event-id', lastEventId)
  return new Request(NOWHERE, { headers })
}

/** Ends the session. */
export function endRequest(greeted: Greeted): Request {
  return new Request(NOWHERE, { method: 'DELETE', headers: headersOf(greeted) })
}

function headersOf({ sessionId, version }: Greeted): Headers {
  const headers = new Headers()
  if (sessionId !== undefined) headers.set('mcp-session-id', sessionId)
  if (version !== undefined && version >= ANNOUNCED_SINCE) {
    headers.set('mcp-protocol-version', version)
  }
  return headers
}
