import { type Context, Hono } from 'hono'
import {
  type CallContext,
  GatewayError,
  type Principal,
  ServerPath,
  toGatewayError,
} from '../core/index.ts'
import type { HttpEnv } from '../http/index.ts'
import { type Identity, protectedResourceMetadata, resourceMetadataUrl } from '../identity/index.ts'
import type { Relay } from './relay.ts'
import { errorReply } from './wire/reply.ts'

export interface McpRoutesDeps {
  readonly identity: Identity
  readonly relay: Relay
  /** The gateway's origin, without a slash at the end. */
  readonly publicUrl: string
  /** Issuers that a client may get a token from. */
  readonly authorizationServers: readonly string[]
  readonly scopesSupported?: readonly string[]
}

const ALLOW = 'POST, DELETE'
const PRM = '/.well-known/oauth-protected-resource'

/**
 * `/{server}/mcp`, and the protected-resource metadata of every such endpoint (RFC 9728). Both
 * answer alike for every well-formed name until the caller has proven who it is.
 */
export function createMcpRoutes(deps: McpRoutesDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()

  app.get(PRM, (c) => c.json(metadata(deps, deps.publicUrl, 'Gatehouse')))
  app.get(`${PRM}/:server/mcp`, (c) => {
    const path = serverPath(c.req.param('server'))
    return c.json(metadata(deps, `${deps.publicUrl}/${path}/mcp`, `Gatehouse: ${path}`))
  })

  app.all('/:server/mcp', async (c) => {
    const call = c.get('call')
    call.facts.route = '/:server/mcp'
    try {
      const path = serverPath(c.req.param('server'))
      const principal = await authenticate(deps, call, c.req.raw.headers, path)
      return await serve(deps.relay, c, principal, path)
    } catch (thrown) {
      const error = toGatewayError(thrown)
      if (error.code === 'internal') throw thrown
      call.facts.outcome = error.code
      return errorReply(error, 'null', call.requestId)
    }
  })
  return app
}

async function serve(
  relay: Relay,
  c: Context<HttpEnv>,
  principal: Principal,
  path: ServerPath,
): Promise<Response> {
  const { method } = c.req
  if (method === 'DELETE') return relay.delete(c.get('call'), principal, path, c.req.raw)
  if (method !== 'POST') {
    throw new GatewayError('method_not_allowed', `${method} is not served at an MCP endpoint.`, {
      fix: 'Send JSON-RPC messages by POST; end a session by DELETE.',
      headers: { allow: ALLOW },
    })
  }
  requireJson(c.req.header('content-type'))
  requireBothAccepted(c.req.header('accept'))
  return relay.post(c.get('call'), principal, path, c.req.raw)
}

async function authenticate(
  { identity, publicUrl }: McpRoutesDeps,
  call: CallContext,
  headers: Headers,
  path: ServerPath,
): Promise<Principal> {
  const url = `${publicUrl}/${path}/mcp`
  const principal = await identity.authenticate(headers, {
    url,
    metadataUrl: resourceMetadataUrl(url),
  })
  call.facts.principal = principal.key
  call.facts.tenant = principal.tenant
  return principal
}

function serverPath(text: string | undefined): ServerPath {
  const path = ServerPath.safeParse(text)
  if (path.success) return path.data
  throw new GatewayError('not_found', 'There is no MCP endpoint at this path.')
}

function requireJson(contentType: string | undefined): void {
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase()
  if (type === 'application/json') return
  throw new GatewayError('unsupported_media_type', 'The Content-Type must be application/json.')
}

/** A client without an Accept header takes anything (RFC 9110 section 12.5.1). */
function requireBothAccepted(accept: string | undefined): void {
  if (accept === undefined) return
  const types = accept.split(',').map((range) => range.split(';')[0]?.trim().toLowerCase())
  const takes = (type: string, group: string): boolean =>
    types.includes(type) || types.includes(group) || types.includes('*/*')
  if (takes('application/json', 'application/*') && takes('text/event-stream', 'text/*')) return
  throw new GatewayError(
    'not_acceptable',
    'The Accept header must list application/json and text/event-stream.',
  )
}

function metadata(deps: McpRoutesDeps, resource: string, resourceName: string) {
  return protectedResourceMetadata({
    resource,
    resourceName,
    authorizationServers: deps.authorizationServers,
    ...(deps.scopesSupported ? { scopesSupported: deps.scopesSupported } : {}),
  })
}
