import { type Context, Hono } from 'hono'
import {
  type CallContext,
  GatewayError,
  mediaType,
  type Principal,
  ServerPath,
  toGatewayError,
} from '../core/index.ts'
import type { HttpEnv } from '../http/index.ts'
import { type Identity, protectedResourceMetadata, resourceMetadataUrl } from '../identity/index.ts'
import type { StreamableHttp } from './mcp.ts'
import { isBuiltIn } from './shared/index.ts'
import { errorReply } from './wire/reply.ts'

export interface McpRoutesDeps {
  readonly identity: Identity
  readonly endpoint: StreamableHttp
  /** The gateway's origin, without a slash at the end. */
  readonly publicUrl: string
  /** Issuers that a client may get a token from. */
  readonly authorizationServers: readonly string[]
  readonly scopesSupported?: readonly string[]
}

const ALLOW = 'GET, POST, DELETE'
const PRM = '/.well-known/oauth-protected-resource'

/** The URL of an endpoint: `/mcp` for all servers together, `/{path}/mcp` for any other. */
export function endpointUrl(publicUrl: string, path: string): string {
  return path === 'mcp' ? `${publicUrl}/mcp` : `${publicUrl}/${path}/mcp`
}

/**
 * `/mcp`, `/{path}/mcp`, and the protected-resource metadata of every such endpoint (RFC 9728).
 * Both answer alike for every well-formed name until the caller has proven who it is.
 */
export function createMcpRoutes(deps: McpRoutesDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()

  app.get(PRM, (c) => c.json(metadata(deps, deps.publicUrl, 'Gatehouse')))
  app.get(`${PRM}/mcp`, (c) =>
    c.json(metadata(deps, endpointUrl(deps.publicUrl, 'mcp'), 'Gatehouse')),
  )
  app.get(`${PRM}/:server/mcp`, (c) => {
    const path = endpointPath(c.req.param('server'))
    return c.json(metadata(deps, endpointUrl(deps.publicUrl, path), `Gatehouse: ${path}`))
  })

  async function at(c: Context<HttpEnv>, route: string, name: string): Promise<Response> {
    const call = c.get('call')
    call.facts.route = route
    try {
      const path = endpointPath(name)
      const principal = await authenticate(deps, call, c.req.raw.headers, path)
      return await serve(deps.endpoint, c, principal, path)
    } catch (thrown) {
      const error = toGatewayError(thrown)
      if (error.code === 'internal') throw thrown
      call.facts.outcome = error.code
      return errorReply(error, 'null', call.requestId)
    }
  }
  app.all('/mcp', (c) => at(c, '/mcp', 'mcp'))
  app.all('/:server/mcp', (c) => at(c, '/:server/mcp', c.req.param('server')))
  return app
}

async function serve(
  endpoint: StreamableHttp,
  c: Context<HttpEnv>,
  principal: Principal,
  path: string,
): Promise<Response> {
  const { method } = c.req
  if (method === 'DELETE') return endpoint.delete(c.get('call'), principal, path, c.req.raw)
  if (method === 'GET') {
    requireStreamAccepted(c.req.header('accept'))
    return endpoint.get(c.get('call'), principal, path, c.req.raw)
  }
  if (method !== 'POST') {
    throw new GatewayError('method_not_allowed', `${method} is not served at an MCP endpoint.`, {
      fix: 'Send JSON-RPC messages by POST; end a session by DELETE.',
      headers: { allow: ALLOW },
    })
  }
  requireJson(c.req.header('content-type'))
  requireBothAccepted(c.req.header('accept'))
  return endpoint.post(c.get('call'), principal, path, c.req.raw)
}

async function authenticate(
  { identity, publicUrl }: McpRoutesDeps,
  call: CallContext,
  headers: Headers,
  path: string,
): Promise<Principal> {
  const url = endpointUrl(publicUrl, path)
  const principal = await identity.authenticate(headers, {
    url,
    metadataUrl: resourceMetadataUrl(url),
  })
  call.facts.principal = principal.key
  call.facts.tenant = principal.tenant
  return principal
}

/** The path that a URL names, of a server or of our own. Throws `not_found` for no such name. */
export function endpointPath(text: string): string {
  if (isBuiltIn(text)) return text
  const path = ServerPath.safeParse(text)
  if (path.success) return path.data
  throw new GatewayError('not_found', 'There is no MCP endpoint at this path.')
}

/** Throws `unsupported_media_type`. */
export function requireJson(contentType: string | undefined): void {
  if (mediaType(contentType) === 'application/json') return
  throw new GatewayError('unsupported_media_type', 'The Content-Type must be application/json.')
}

/** Throws `not_acceptable`. */
export function requireStreamAccepted(accept: string | undefined): void {
  if (takes(accept, 'text/event-stream')) return
  throw new GatewayError('not_acceptable', 'The Accept header must list text/event-stream.', {
    fix: 'Accept text/event-stream.',
  })
}

/** A client without an Accept header takes anything (RFC 9110 section 12.5.1). */
function takes(accept: string | undefined, type: string): boolean {
  if (accept === undefined) return true
  const ranges = accept.split(',').map(mediaType)
  return [type, type.replace(/\/.*/, '/*'), '*/*'].some((range) => ranges.includes(range))
}

function requireBothAccepted(accept: string | undefined): void {
  if (takes(accept, 'application/json') && takes(accept, 'text/event-stream')) return
  throw new GatewayError(
    'not_acceptable',
    'The Accept header must list application/json and text/event-stream.',
  )
}

/** The protected-resource metadata of one of our endpoints. */
export function metadata(
  deps: Omit<McpRoutesDeps, 'endpoint'>,
  resource: string,
  resourceName: string,
) {
  return protectedResourceMetadata({
    resource,
    resourceName,
    authorizationServers: deps.authorizationServers,
    ...(deps.scopesSupported ? { scopesSupported: deps.scopesSupported } : {}),
  })
}
