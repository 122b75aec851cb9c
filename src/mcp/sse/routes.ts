import { type Context, Hono } from 'hono'
import { type CallContext, GatewayError, type Principal, toGatewayError } from '../../core/index.ts'
import type { HttpEnv } from '../../http/index.ts'
import { resourceMetadataUrl } from '../../identity/index.ts'
import {
  endpointPath,
  endpointUrl,
  type McpRoutesDeps,
  metadata,
  requireJson,
  requireStreamAccepted,
} from '../routes.ts'
import { errorReply } from '../wire/reply.ts'
import type { Sse } from './sse.ts'

export interface SseRoutesDeps extends Omit<McpRoutesDeps, 'endpoint'> {
  readonly sse: Sse
}

const PRM = '/.well-known/oauth-protected-resource'

/** The URL of a stream: `/sse` for all servers together, `/{path}/sse` for any other. */
export function sseUrl(publicUrl: string, path: string): string {
  return path === 'mcp' ? `${publicUrl}/sse` : `${publicUrl}/${path}/sse`
}

/** One of the two URLs of a transport. */
interface Door {
  readonly method: 'GET' | 'POST'
  /** Throws what refuses the headers. */
  readonly require: (c: Context<HttpEnv>) => void
  readonly serve: Sse['open']
}

/**
 * `/sse`, `/{path}/sse` and their `/messages` (MCP 2024-11-05, HTTP with SSE). Clients check that
 * the protected resource is what they connect to (RFC 9728 section 3.3), so a stream is one of its
 * own, and a token for the same path's `/mcp` is good there too.
 */
export function createSseRoutes(deps: SseRoutesDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()

  app.get(`${PRM}/sse`, (c) => c.json(metadata(deps, sseUrl(deps.publicUrl, 'mcp'), 'Gatehouse')))
  app.get(`${PRM}/:server/sse`, (c) => {
    const path = endpointPath(c.req.param('server'))
    return c.json(metadata(deps, sseUrl(deps.publicUrl, path), `Gatehouse: ${path}`))
  })

  async function at(
    c: Context<HttpEnv>,
    route: string,
    name: string,
    door: Door,
  ): Promise<Response> {
    const call = c.get('call')
    call.facts.route = route
    try {
      const path = endpointPath(name)
      const principal = await authenticate(deps, call, c.req.raw.headers, path)
      if (c.req.method !== door.method) throw notServed(c.req.method, door.method)
      door.require(c)
      return await door.serve(call, principal, path, c.req.raw)
    } catch (thrown) {
      const error = toGatewayError(thrown)
      if (error.code === 'internal') throw thrown
      call.facts.outcome = error.code
      return errorReply(error, 'null', call.requestId)
    }
  }
  const stream: Door = {
    method: 'GET',
    require: (c) => requireStreamAccepted(c.req.raw.headers.get('accept')),
    serve: deps.sse.open,
  }
  const messages: Door = {
    method: 'POST',
    require: (c) => requireJson(c.req.raw.headers.get('content-type')),
    serve: deps.sse.send,
  }
  app.all('/sse', (c) => at(c, '/sse', 'mcp', stream))
  app.all('/messages', (c) => at(c, '/messages', 'mcp', messages))
  app.all('/:server/sse', (c) => at(c, '/:server/sse', c.req.param('server'), stream))
  app.all('/:server/messages', (c) => at(c, '/:server/messages', c.req.param('server'), messages))
  return app
}

async function authenticate(
  { identity, publicUrl }: SseRoutesDeps,
  call: CallContext,
  headers: Headers,
  path: string,
): Promise<Principal> {
  const url = sseUrl(publicUrl, path)
  const principal = await identity.authenticate(headers, {
    url,
    alsoUrls: [endpointUrl(publicUrl, path)],
    metadataUrl: () => resourceMetadataUrl(url),
  })
  call.facts.principal = principal.key
  call.facts.tenant = principal.tenant
  return principal
}

/** Clients that know both transports try a POST first, and fall back when it is not served. */
function notServed(method: string, allow: string): GatewayError {
  return new GatewayError('method_not_allowed', `${method} is not served here.`, {
    fix: 'Open the stream by GET; post messages to the URL of its first event.',
    headers: { allow },
  })
}
