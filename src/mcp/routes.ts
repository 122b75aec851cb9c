import { Hono } from 'hono'
import { GatewayError, isServerPath, mediaType } from '../core/index.ts'
import type { HttpEnv } from '../http/index.ts'
import { type Identity, protectedResourceMetadata } from '../identity/index.ts'
import type { StreamableHttp } from './mcp.ts'
import { isBuiltIn } from './shared/index.ts'

export interface McpRoutesDeps {
  readonly identity: Identity
  readonly endpoint: StreamableHttp
  /** The gateway's origin, without a slash at the end. */
  readonly publicUrl: string
  /** Issuers that a client may get a token from. */
  readonly authorizationServers: readonly string[]
  readonly scopesSupported?: readonly string[]
}

const PRM = '/.well-known/oauth-protected-resource'

/** The URL of an endpoint: `/mcp` for all servers together, `/{path}/mcp` for any other. */
export function endpointUrl(publicUrl: string, path: string): string {
  return path === 'mcp' ? `${publicUrl}/mcp` : `${publicUrl}/${path}/mcp`
}

/**
 * The protected-resource metadata of every MCP endpoint (RFC 9728); the endpoints themselves are
 * served by `front.ts`. It answers alike for every well-formed name.
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
  return app
}

/** The path that a URL names, of a server or of our own. Throws `not_found` for no such name. */
export function endpointPath(text: string): string {
  if (isBuiltIn(text) || isServerPath(text)) return text
  throw new GatewayError('not_found', 'There is no MCP endpoint at this path.')
}

/** Throws `unsupported_media_type`. */
export function requireJson(contentType: string | null): void {
  if (contentType === 'application/json' || mediaType(contentType) === 'application/json') return
  throw new GatewayError('unsupported_media_type', 'The Content-Type must be application/json.')
}

/** Throws `not_acceptable`. */
export function requireStreamAccepted(accept: string | null): void {
  if (takes(accept, 'text/event-stream')) return
  throw new GatewayError('not_acceptable', 'The Accept header must list text/event-stream.', {
    fix: 'Accept text/event-stream.',
  })
}

/** A client without an Accept header takes anything (RFC 9110 section 12.5.1). */
function takes(accept: string | null, type: string): boolean {
  if (accept === null) return true
  const ranges = accept.split(',').map(mediaType)
  return [type, type.replace(/\/.*/, '/*'), '*/*'].some((range) => ranges.includes(range))
}

/** Throws `not_acceptable`. */
export function requireBothAccepted(accept: string | null): void {
  // As the SDKs write it.
  if (accept === 'application/json, text/event-stream') return
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
