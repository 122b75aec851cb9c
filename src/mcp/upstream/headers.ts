import { setBounded } from '../../core/index.ts'
import type { InboundRequest } from '../eras.ts'
import { GATEWAY_INFO } from '../messages.ts'
import { encodeHeaderValue } from '../wire/header-value.ts'
import { type HeaderParam, paramHeaders } from '../wire/param-headers.ts'

/** What hop 2 needs to know besides the message. */
export interface HopTwo {
  /** Protocol revision to announce; absent on a legacy `initialize`. */
  readonly version?: string | undefined
  /** The upstream's own session id, never ours. */
  readonly sessionId?: string | undefined
  /** Custom headers of the server, set by its administrator. */
  readonly custom: readonly (readonly [name: string, value: string])[]
}

const ACCEPT = 'application/json, text/event-stream'
const USER_AGENT = `Gatehouse/${GATEWAY_INFO.version}`

/**
 * The headers of hop 2, built from nothing: no header of hop 1 is copied, so no credential, cookie,
 * forwarding or hop-by-hop header can pass (ATTACKS 2 and 14; PROTOCOL.md section 5, statement 11).
 */
export function hopTwoHeaders(hop: HopTwo): Headers {
  const headers = new Headers(usualHeaders(hop.custom))
  if (hop.version !== undefined) headers.set('mcp-protocol-version', hop.version)
  if (hop.sessionId !== undefined) headers.set('mcp-session-id', hop.sessionId)
  return headers
}

/** Of sessions, by their upstream id: a server's own, so that two may have the same. */
const ofSessions = new Map<
  string,
  { readonly custom: HopTwo['custom']; readonly headers: Headers }
>()
/** Of all servers; those used least lately out. Each takes 2 KiB. */
const MAX_SESSIONS = 2_000
/** What an upstream makes up, however long, is not kept. */
const MAX_ID_CHARS = 256

/**
 * The headers of a call in a legacy session. Calls of one session share them: never to be changed.
 */
export function sessionHeaders(hop: HopTwo): Headers {
  const { custom, version, sessionId } = hop
  if (sessionId === undefined || sessionId.length > MAX_ID_CHARS) return hopTwoHeaders(hop)
  const key = `${version} ${sessionId}`
  const known = ofSessions.get(key)
  const kept = known?.custom === custom ? known : { custom, headers: hopTwoHeaders(hop) }
  setBounded(ofSessions, key, kept, MAX_SESSIONS)
  return kept.headers
}

/** What every request to a server has: to copy it costs a third of setting each. */
const usual = new WeakMap<HopTwo['custom'], Headers>()

function usualHeaders(custom: HopTwo['custom']): Headers {
  const known = usual.get(custom)
  if (known) return known
  const headers = new Headers()
  for (const [name, value] of custom) headers.set(name, value)
  headers.set('accept', ACCEPT)
  headers.set('content-type', 'application/json')
  headers.set('user-agent', USER_AGENT)
  usual.set(custom, headers)
  return headers
}

/** The headers of hop 2 for a stream of events; `lastEventId` is the upstream's own, never ours. */
export function streamHeaders(hop: HopTwo, lastEventId?: string): Headers {
  const headers = hopTwoHeaders(hop)
  headers.set('accept', 'text/event-stream')
  headers.delete('content-type')
  if (lastEventId !== undefined) headers.set('last-event-id', lastEventId)
  return headers
}

/**
 * The headers of a modern request on hop 2, computed from the body that will run; the only ones
 * taken from hop 1 are `Mcp-Param-*` that no known tool parameter owns. Calls of one tool share
 * them: never to be changed.
 */
export function modernHeaders(
  hop: HopTwo,
  inbound: InboundRequest,
  inboundHeaders: Headers,
  params: readonly HeaderParam[],
): Headers {
  const mirrored = paramHeaders(inboundHeaders, params, inbound.params['arguments'])
  const announced = announcedHeaders(hop, inbound)
  if (mirrored.length === 0) return announced
  const headers = new Headers(announced)
  for (const [name, value] of mirrored) headers.set(name, value)
  return headers
}

/** By what the headers of a server's tool calls differ. */
const ofTools = new WeakMap<HopTwo['custom'], Map<string, Headers>>()
/** Of one server; those called least lately out. */
const MAX_TOOLS = 200
/** What a caller makes up, however long, is not kept. */
const MAX_NAME_CHARS = 128

function announcedHeaders(hop: HopTwo, inbound: InboundRequest): Headers {
  const { method, name } = inbound
  const isShared =
    method === 'tools/call' &&
    hop.sessionId === undefined &&
    name !== undefined &&
    name.length <= MAX_NAME_CHARS
  if (!isShared) return newlyAnnounced(hop, inbound)
  const known = shelfOf(hop.custom)
  const key = `${hop.version} ${name}`
  const headers = known.get(key) ?? newlyAnnounced(hop, inbound)
  setBounded(known, key, headers, MAX_TOOLS)
  return headers
}

function shelfOf(custom: HopTwo['custom']): Map<string, Headers> {
  const known = ofTools.get(custom)
  if (known) return known
  const made = new Map<string, Headers>()
  ofTools.set(custom, made)
  return made
}

function newlyAnnounced(hop: HopTwo, { method, name }: InboundRequest): Headers {
  const headers = hopTwoHeaders(hop)
  headers.set('mcp-method', method)
  if (name !== undefined) headers.set('mcp-name', encodeHeaderValue(name))
  return headers
}
