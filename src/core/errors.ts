/**
 * The one vocabulary of errors. A code is decided where the fault is found; how it looks on a wire
 * is decided once, here, and rendered by `http/problem.ts` (RFC 9457) and `mcp/wire/reply.ts`
 * (JSON-RPC 2.0).
 */

/** How one error code appears on each transport. */
export interface ErrorWire {
  /** HTTP status when the request is refused before it was dispatched. */
  readonly status: number
  /** JSON-RPC error code; ours lie outside -32768..-32000 (MCP 2026-07-28, Error codes). */
  readonly rpc: number
  /** Short, stable summary: the `title` of a problem document. */
  readonly title: string
  /** What the reader can do about it. */
  readonly fix: string
}

const wire = (status: number, rpc: number, title: string, fix: string): ErrorWire => ({
  status,
  rpc,
  title,
  fix,
})

/** Every error the gateway can answer with. Adding a row adds a code. */
export const ERROR_WIRE = {
  parse_error: wire(400, -32700, 'Malformed JSON', 'Send one valid JSON document.'),
  invalid_request: wire(400, -32600, 'Invalid request', 'Correct the request and send it again.'),
  invalid_params: wire(400, -32602, 'Invalid parameters', 'Correct the named fields.'),
  invalid_cursor: wire(400, -32602, 'Invalid cursor', 'Start again without a cursor.'),
  unknown_event: wire(400, -32602, 'Unknown event id', 'Open a stream without Last-Event-ID.'),
  header_mismatch: wire(400, -32020, 'Header mismatch', 'Send headers that match the body.'),
  missing_capability: wire(400, -32021, 'Missing capability', 'Declare the capability.'),
  unsupported_version: wire(400, -32022, 'Unsupported version', 'Use one of data.supported.'),
  session_required: wire(400, -32600, 'Session id required', 'Send the Mcp-Session-Id you got.'),
  unauthenticated: wire(401, -31001, 'Not authenticated', 'Send a valid bearer token.'),
  insufficient_scope: wire(403, -31002, 'Insufficient scope', 'Ask for the named OAuth scope.'),
  forbidden: wire(403, -31003, 'Forbidden', 'Ask an administrator for the named permission.'),
  origin_forbidden: wire(403, -31004, 'Origin not allowed', 'Add the origin to ALLOWED_ORIGINS.'),
  host_forbidden: wire(403, -31004, 'Host not allowed', 'Use the host of PUBLIC_URL.'),
  session_not_found: wire(404, -31005, 'Session not found', 'Send a new initialize request.'),
  not_found: wire(404, -31006, 'Not found', 'Check the name, or ask for access to it.'),
  method_not_found: wire(404, -32601, 'Method not found', 'Use a method the server offers.'),
  method_not_allowed: wire(405, -31007, 'Method not allowed', 'Use the HTTP method in Allow.'),
  not_acceptable: wire(406, -32600, 'Not acceptable', 'Accept JSON and text/event-stream.'),
  body_timeout: wire(408, -31030, 'Body too slow', 'Send the whole body at once.'),
  conflict: wire(409, -31008, 'Conflict', 'Choose another name, or change what exists.'),
  body_too_large: wire(413, -31009, 'Body too large', 'Send a smaller body.'),
  unsupported_media_type: wire(415, -32600, 'Unsupported media type', 'Send application/json.'),
  upstream_unreachable: wire(422, -31010, 'Upstream unreachable', 'Check the URL and the server.'),
  rate_limited: wire(429, -31011, 'Too many requests', 'Try again after Retry-After.'),
  internal: wire(500, -32603, 'Internal error', 'Report the request id to your administrator.'),
  upstream_failed: wire(
    502,
    -31012,
    'Upstream failed',
    'Check the health of the server: gatehouse server health <path>.',
  ),
  misconfigured: wire(503, -31016, 'Misconfigured', 'Run: npm run gatehouse -- validate'),
  policy_unavailable: wire(503, -31013, 'Policy unavailable', 'Try again in a few seconds.'),
  upstream_unavailable: wire(503, -31014, 'Upstream unavailable', 'Try again after Retry-After.'),
  no_capacity: wire(503, -31021, 'No capacity', 'Try again after Retry-After.'),
  upstream_timeout: wire(504, -31015, 'Upstream timed out', 'Try again, or raise timeoutMs.'),
  unknown_tool: wire(200, -32602, 'Unknown tool', 'List the tools and use one of them.'),
  unknown_prompt: wire(200, -32602, 'Unknown prompt', 'List the prompts and use one of them.'),
  unknown_resource: wire(200, -32602, 'Unknown resource', 'List the resources and use one.'),
  unknown_task: wire(200, -32602, 'Unknown task', 'Use the id of a task that you were given.'),
  // The same of a resource in the legacy era, whose code the modern one forbids (MCP 2026-07-28, Error codes).
  unknown_resource_legacy: wire(200, -32002, 'Unknown resource', 'List the resources and use one.'),
  task_only: wire(
    200,
    -31017,
    'Task only',
    'Use a client of the era of the server, at its own path.',
  ),
} as const satisfies Record<string, ErrorWire>

export type ErrorCode = keyof typeof ERROR_WIRE

/** What else a reader of the error may see, and where. */
export interface ErrorDetail {
  /** How to fix it, when more can be said than the table says. */
  readonly fix?: string
  /** Extra response headers, such as `Retry-After`, `Allow` or `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>
  /** `data` of a JSON-RPC error, extension members of a problem document. Never a secret. */
  readonly data?: Readonly<Record<string, unknown>>
}

/**
 * Of what passes by itself: when to try again, in whole seconds (RFC 9110 section 10.2.3). The fix
 * names them too, since a model that calls a tool sees no header.
 */
export function retryIn(seconds: number): Required<ErrorDetail> {
  return {
    fix: `Try again in ${seconds} s.`,
    headers: { 'retry-after': String(seconds) },
    data: { retryAfterSeconds: seconds },
  }
}

/** An error whose message was written for the caller: it holds no secret and names no internals. */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, publicMessage: string, options: ErrorDetail & ErrorOptions = {}) {
    const { cause, ...detail } = options
    super(publicMessage, cause === undefined ? undefined : { cause })
    this.name = 'GatewayError'
    this.code = code
    this.detail = detail
  }
}

/** Turns whatever was thrown into an error fit for a caller; foreign ones become `internal`. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  return new GatewayError('internal', 'Something went wrong inside the gateway.', { cause: thrown })
}
