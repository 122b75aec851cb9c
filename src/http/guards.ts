import { GatewayError } from '../core/index.ts'

/** Which names the gateway answers to, and which web pages may talk to it. */
export interface GuardConfig {
  /** Values of the Host header, port included when it is not the scheme's own. */
  readonly allowedHosts: ReadonlySet<string>
  /** Origins as browsers send them. */
  readonly allowedOrigins: ReadonlySet<string>
}

const ALLOWED_METHODS = 'GET, POST, PUT, PATCH, DELETE, OPTIONS'
const ALLOWED_HEADERS = [
  'accept',
  'authorization',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'x-authorization',
  'x-request-id',
]
const EXPOSED_HEADERS =
  'Mcp-Session-Id, MCP-Protocol-Version, RateLimit, RateLimit-Policy, Retry-After, ' +
  'WWW-Authenticate, X-Request-Id'
const MAX_AGE_SECONDS = 600

/**
 * Refuses a foreign Host (DNS rebinding) and a foreign Origin on every path and method. `origin` is
 * the header. Throws `host_forbidden`, `origin_forbidden`.
 * Source: MCP 2026-07-28, Streamable HTTP, Security.
 */
export function requireKnown(
  { allowedHosts, allowedOrigins }: GuardConfig,
  request: Request,
  origin: string | null,
): void {
  const host = request.headers.get('host') ?? new URL(request.url).host
  if (!allowedHosts.has(host) && !allowedHosts.has(host.toLowerCase())) {
    throw new GatewayError('host_forbidden', 'This gateway does not answer to that host name.')
  }
  if (origin !== null && !allowedOrigins.has(origin)) {
    throw new GatewayError('origin_forbidden', 'Web pages of that origin may not call here.')
  }
}

/** The answer to OPTIONS: what a page of an allowed origin may send (Fetch standard, CORS protocol). */
export function preflight(headers: Headers, origin: string | null): Response {
  const answer = new Response(null, { status: 204, headers: { allow: ALLOWED_METHODS } })
  if (origin !== null) allowPreflight(answer.headers, headers)
  return answer
}

/** Never with credentials: a bearer token is no cookie. */
export function allowOrigin(answer: Headers, origin: string): void {
  answer.set('access-control-allow-origin', origin)
  answer.set('access-control-expose-headers', EXPOSED_HEADERS)
  answer.append('vary', 'Origin')
}

function allowPreflight(answer: Headers, request: Headers): void {
  const asked = (request.get('access-control-request-headers') ?? '').toLowerCase().split(',')
  const mirrored = asked.map((name) => name.trim()).filter(isParamHeader)
  answer.set('access-control-allow-methods', ALLOWED_METHODS)
  answer.set('access-control-allow-headers', [...ALLOWED_HEADERS, ...mirrored].join(', '))
  answer.set('access-control-max-age', String(MAX_AGE_SECONDS))
}

/** Tools name these headers, so they cannot be listed. */
function isParamHeader(name: string): boolean {
  return /^mcp-param-[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(name)
}
