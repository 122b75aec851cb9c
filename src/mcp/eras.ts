import { classifyInboundRequest } from '@modelcontextprotocol/server'
import { createLayoutKeeper, GatewayError, isPlainObject, type Span } from '../core/index.ts'
import { LEGACY_VERSIONS, MODERN_VERSION, methodFacts } from './messages.ts'
import { type Announced, createPlainRequests } from './plain-requests.ts'
import { ambiguousMember } from './wire/ambiguous-member.ts'
import { decodeHeaderValue } from './wire/header-value.ts'
import { scanRequest } from './wire/scan-request.ts'

/** What arrived, decided once at the edge; everything behind is total over it. */
export type Inbound = InboundRequest | InboundNotification | InboundResponse

export interface InboundRequest {
  readonly kind: 'request'
  readonly era: 'modern' | 'legacy'
  readonly text: string
  readonly method: string
  /** The mirrored name: tool, prompt, resource URI or task id. */
  readonly name?: string | undefined
  readonly params: Readonly<Record<string, unknown>>
  /** Where the id stands in `text`. */
  readonly id: Span
  /** Negotiated or claimed protocol revision, when one was named. */
  readonly version?: string
}

export interface InboundNotification {
  readonly kind: 'notification'
  readonly era: 'modern' | 'legacy'
  readonly text: string
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  readonly version?: string
}

/** A legacy client's answer to a request of its server. */
export interface InboundResponse {
  readonly kind: 'response'
  readonly era: 'legacy'
  readonly text: string
  readonly version?: string
}

/** A body that is one JSON object, not yet judged. */
export interface ReadMessage {
  readonly text: string
  readonly body: Message
  /** Where a usable id stands in `text`: what an error about this message can quote. */
  readonly id: Span | undefined
}

const keepMessage = createLayoutKeeper()

/**
 * Reads one POST body: bounded in depth, without duplicate members, one object.
 * Throws `parse_error` or `invalid_request`.
 */
export function readMessage(text: string): ReadMessage {
  const scan = scanRequest(text)
  if (scan.kind === 'refused') {
    throw new GatewayError('parse_error', `The body was refused: ${scan.reason}.`)
  }
  const body = parseJson(text)
  if (Array.isArray(body)) {
    throw new GatewayError('invalid_request', 'JSON-RPC batches are not accepted here.', {
      fix: 'Send each message in a request of its own.',
    })
  }
  const message: Message = isPlainObject(body) ? body : {}
  keepMessage(message, text.length)
  const ambiguous = ambiguousMember(message)
  if (ambiguous !== undefined) {
    throw new GatewayError(
      'parse_error',
      `The body was refused: the member ${JSON.stringify(ambiguous.slice(0, 64))} differs from one of the protocol by its case alone.`,
    )
  }
  const isUsable = typeof message.id === 'string' || typeof message.id === 'number'
  return { text, body: message, id: isUsable ? scan.id : undefined }
}

/**
 * Decides what a message is, or throws the error of the first rule it breaks. Envelope and version
 * claims are judged by the SDK's classifier; the standard headers of a modern request, and the
 * versions this gateway speaks, here.
 * Source: MCP 2026-07-28, Streamable HTTP, Request metadata and Standard headers.
 */
export function classify({ text, body, id }: ReadMessage, headers: Headers): Inbound {
  const version = header(headers, 'mcp-protocol-version')
  const method = header(headers, 'mcp-method')
  const announced = { version, method }
  const era = plainRequests.eraOf(body, announced)
  if (era === 'legacy') return legacyInbound(text, body, id, version)
  if (era === 'modern') return modernInbound(text, body, id, headers, announced, version)
  const outcome = classifyInboundRequest({
    httpMethod: 'POST',
    body: essentials(body),
    ...(version === undefined ? {} : { protocolVersionHeader: version }),
    ...(method === undefined ? {} : { mcpMethodHeader: method }),
  })
  switch (outcome.kind) {
    case 'reject':
      // Any word greater than `2026-07-28` makes it look for an envelope; the version comes first.
      if (outcome.code === -32602 && version !== undefined && !SPOKEN.includes(version)) {
        throw unsupportedVersion(version, SPOKEN)
      }
      throw rejection(outcome.code, outcome.message, outcome.data)
    case 'legacy':
      return legacyInbound(text, body, id, version)
    case 'modern':
      plainRequests.note(body, announced)
      return modernInbound(
        text,
        outcome.message,
        id,
        headers,
        announced,
        outcome.classification.revision,
      )
  }
}

/** Settled facts of texts, of nobody in particular. */
const plainRequests = createPlainRequests()

/** Of both eras, newest first. */
const SPOKEN: readonly string[] = [MODERN_VERSION, ...LEGACY_VERSIONS]

/** What JSON-RPC defines; the classifier refuses more, and a relay must carry it. */
function essentials(body: Message): object {
  const members = ['jsonrpc', 'method', 'params', 'result', 'error'] as const
  const kept = members.filter((member) => Object.hasOwn(body, member))
  const rest = Object.fromEntries(kept.map((member) => [member, body[member]]))
  if (!Object.hasOwn(body, 'id')) return rest
  // It takes safe integers only; any number is relayed as it was written.
  return { ...rest, id: typeof body.id === 'number' ? 1 : body.id }
}

/** No interface: those cannot be looked through by name. */
type Message = {
  readonly jsonrpc?: unknown
  readonly id?: unknown
  readonly method?: unknown
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: unknown
}

function modernInbound(
  text: string,
  message: Message,
  id: Span | undefined,
  headers: Headers,
  announced: Announced,
  version: string | undefined,
): Inbound {
  const claimed = version ?? announced.version ?? ''
  if (claimed !== MODERN_VERSION) throw unsupportedVersion(claimed, [MODERN_VERSION])
  const method = String(message.method)
  const params = paramsOf(message)
  if (id === undefined) {
    return { kind: 'notification', era: 'modern', text, method, params, version: claimed }
  }
  requireRequest(method)
  const name = nameOf(method, params)
  requireStandardHeaders(headers, announced, method, name)
  return { kind: 'request', era: 'modern', text, method, name, params, id, version: claimed }
}

function legacyInbound(
  text: string,
  message: Message,
  id: Span | undefined,
  version: string | undefined,
): Inbound {
  if (version !== undefined && !SPOKEN.includes(version)) throw unsupportedVersion(version, SPOKEN)
  const common = { era: 'legacy', text, ...(version === undefined ? {} : { version }) } as const
  if (typeof message.method !== 'string') {
    if (version !== MODERN_VERSION) return { ...common, kind: 'response' }
    throw new GatewayError('invalid_request', 'A client of 2026-07-28 posts no responses.')
  }
  const method = message.method
  const params = paramsOf(message)
  if (id === undefined) return { ...common, kind: 'notification', method, params }
  requireRequest(method)
  const name = nameOf(method, params)
  return { ...common, kind: 'request', method, name, params, id }
}

/** A notification has no id: judged as one and run as a request, it would be two things. */
function requireRequest(method: string): void {
  if (!method.startsWith('notifications/')) return
  throw new GatewayError('method_not_found', 'Method not found')
}

function requireStandardHeaders(
  headers: Headers,
  announced: Announced,
  method: string,
  name: string | undefined,
): void {
  if (announced.version === undefined) {
    throw mismatch('The MCP-Protocol-Version header is missing.')
  }
  if (announced.method === undefined) throw mismatch('The Mcp-Method header is missing.')
  if (name === undefined) return
  const value = header(headers, 'mcp-name')
  if (value === undefined) throw mismatch(`The Mcp-Name header is missing; ${method} needs it.`)
  if (decodeHeaderValue(value) !== name) {
    throw mismatch(`The Mcp-Name header does not match params.${methodFacts(method).nameField}.`)
  }
}

/**
 * The revision under which a client opens a stream by GET; undefined when it names none. The modern
 * era has no such streams: the error of that is `method_not_allowed`. Throws `unsupported_version`.
 */
export function streamVersion(headers: Headers): string | undefined {
  const version = header(headers, 'mcp-protocol-version')
  if (version === MODERN_VERSION) throw noStream()
  if (version === undefined || SPOKEN.includes(version)) return version
  throw unsupportedVersion(version, SPOKEN)
}

/** For a GET where no stream can be opened. */
export function noStream(): GatewayError {
  return new GatewayError('method_not_allowed', 'No stream can be opened here by GET.', {
    fix: 'Send JSON-RPC messages by POST; end a session by DELETE.',
    headers: { allow: 'POST, DELETE' },
  })
}

/** The version error of either era; `data` as the specification shapes it. */
export function unsupportedVersion(requested: string, supported: readonly string[]): GatewayError {
  const shown = requested.slice(0, 32)
  return new GatewayError('unsupported_version', `Unsupported protocol version: ${shown}`, {
    data: { supported, requested: shown },
  })
}

function rejection(rpc: number, message: string, data: unknown): GatewayError {
  const options = isPlainObject(data) ? { data } : {}
  switch (rpc) {
    case -32020:
      return new GatewayError('header_mismatch', message, options)
    case -32022:
      return new GatewayError('unsupported_version', message, options)
    case -32602:
      return new GatewayError('invalid_params', message, options)
    default:
      return new GatewayError('invalid_request', message, options)
  }
}

function nameOf(method: string, params: Readonly<Record<string, unknown>>): string | undefined {
  const field = methodFacts(method).nameField
  const value = field === undefined ? undefined : params[field]
  return typeof value === 'string' ? value : undefined
}

function paramsOf(message: Message): Readonly<Record<string, unknown>> {
  return isPlainObject(message.params) ? message.params : {}
}

function header(headers: Headers, name: string): string | undefined {
  return headers.get(name)?.trim()
}

function mismatch(message: string): GatewayError {
  return new GatewayError('header_mismatch', message)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('parse_error', 'The body is not valid JSON.', { cause })
  }
}
