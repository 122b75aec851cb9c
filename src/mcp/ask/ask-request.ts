import type { ServerRecord } from '../../registry/index.ts'
import { GATEWAY_INFO, MODERN_VERSION, methodFacts } from '../messages.ts'
import { encodeHeaderValue } from '../wire/header-value.ts'
import { paramHeaders } from '../wire/param-headers.ts'

/** How a server is spoken to: its era, and within what. */
export interface Leg {
  readonly era: 'modern' | 'legacy'
  /** The revision agreed upon; absent before a legacy handshake. */
  readonly version?: string
  /** The relay's sealed session id, never the upstream's own. */
  readonly sessionId?: string
}

/** A request or a notification as its sender knows it. */
export interface ClientMessage {
  readonly method: string
  readonly params?: Readonly<Record<string, unknown>>
}

/** For a modern server, which needs no handshake. */
export const MODERN_LEG: Leg = { era: 'modern', version: MODERN_VERSION }

/** The era to speak with a server: the modern one unless it is known to be legacy alone. */
export function eraOf({ upstream }: ServerRecord): Leg['era'] {
  return upstream.eras === 'legacy' ? 'legacy' : 'modern'
}

/** The relay gets the path; a Request must have some URL. */
const NOWHERE = 'https://relay.invalid/'

/** Each request travels alone, so one id is enough. */
export const REQUEST_ID = 1

/** A message to `/{server}/mcp` as a client would post it; `id` undefined makes a notification. */
export function messageRequest(
  server: ServerRecord,
  leg: Leg,
  { method, params = {} }: ClientMessage,
  id: number | undefined = undefined,
): Request {
  const isModern = leg.era === 'modern'
  const message = {
    jsonrpc: '2.0',
    ...(id === undefined ? {} : { id }),
    method,
    params: isModern ? { ...params, _meta: ENVELOPE } : params,
  }
  const headers = baseHeaders(leg)
  if (isModern) addStandardHeaders(headers, server, method, params)
  return new Request(NOWHERE, {
    method: 'POST',
    headers,
    body: JSON.stringify(message),
  })
}

/** Ends a legacy session. */
export function endRequest(leg: Leg): Request {
  return new Request(NOWHERE, { method: 'DELETE', headers: baseHeaders(leg) })
}

/** No capabilities: nobody is there to answer a server's own requests. */
const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': GATEWAY_INFO,
}

function baseHeaders({ version, sessionId }: Leg): Headers {
  const headers = new Headers({
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  })
  if (version !== undefined) headers.set('mcp-protocol-version', version)
  if (sessionId !== undefined) headers.set('mcp-session-id', sessionId)
  return headers
}

/** MCP 2026-07-28, Streamable HTTP, Standard headers and Custom headers from tool parameters. */
function addStandardHeaders(
  headers: Headers,
  server: ServerRecord,
  method: string,
  params: Readonly<Record<string, unknown>>,
): void {
  headers.set('mcp-method', method)
  const { nameField } = methodFacts(method)
  const name = nameField === undefined ? undefined : params[nameField]
  if (typeof name !== 'string') return
  headers.set('mcp-name', encodeHeaderValue(name))
  const tool = method === 'tools/call' ? server.tools.get(name) : undefined
  const mirrored = paramHeaders(new Headers(), tool?.headerParams ?? [], params['arguments'])
  for (const [header, value] of mirrored) headers.set(header, value)
}
