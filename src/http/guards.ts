import type { MiddlewareHandler } from 'hono'
import { GatewayError } from '../core/index.ts'
import type { HttpEnv } from './request-context.ts'

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
 * Refuses a foreign Host (DNS rebinding) and a foreign Origin on every path and method, then speaks
 * CORS for the allowed ones. Never with credentials: a bearer token is no cookie.
 * Source: MCP 2026-07-28, Streamable HTTP, Security; Fetch standard, CORS protocol.
 */
export function guards(config: GuardConfig): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const host = c.req.header('host') ?? new URL(c.req.url).host
    if (!config.allowedHosts.has(host.toLowerCase())) {
      throw new GatewayError('host_forbidden', 'This gateway does not answer to that host name.')
    }
    const origin = c.req.header('origin')
    if (origin !== undefined && !config.allowedOrigins.has(origin)) {
      throw new GatewayError('origin_forbidden', 'Web pages of that origin may not call here.')
    }
    if (c.req.method === 'OPTIONS') {
      c.res = new Response(null, { status: 204, headers: { allow: ALLOWED_METHODS } })
      if (origin !== undefined) allowPreflight(c.res.headers, c.req.raw.headers)
    } else {
      await next()
    }
    if (origin === undefined) return
    c.res.headers.set('access-control-allow-origin', origin)
    c.res.headers.set('access-control-expose-headers', EXPOSED_HEADERS)
    c.res.headers.append('vary', 'Origin')
  }
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
