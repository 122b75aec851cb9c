import { type Context, Hono } from 'hono'
import type { Deps } from './deps.ts'
import {
  addressGuard,
  guards,
  type HttpEnv,
  notFoundHandler,
  problemHandler,
  requestContext,
} from './http/index.ts'
import { challenge, resourceMetadataUrl } from './identity/index.ts'
import { requireAdmission } from './limits/index.ts'
import {
  allToolsRoutes,
  createMcpRoutes,
  createSseRoutes,
  describeAllTools,
  endpointUrl,
  restSessionRoutes,
} from './mcp/index.ts'
import type { Actor } from './policy/index.ts'
import { registryRoutes } from './registry/index.ts'

/**
 * The gateway as a page: every request passes the guards, then goes to the one feature that owns
 * its path. Start reading here, then in mcp/relay.ts.
 */
export function createApp(deps: Deps): Hono<HttpEnv> {
  const { config, identity, registry } = deps
  const app = new Hono<HttpEnv>()

  const metadataUrl = resourceMetadataUrl(config.publicUrl)
  app.onError(
    problemHandler(deps.events, (scope) =>
      challenge(metadataUrl, { code: 'insufficient_scope', scope }),
    ),
  )
  app.notFound(notFoundHandler)
  if (deps.allowAddress) app.use(addressGuard(deps.allowAddress))
  app.use(requestContext(deps))
  app.use(guards(config))

  // Operations: alive, and whether the registry can be read. No secrets, no names.
  app.get('/health', async (c) => {
    const health = await registry.status(c.get('call'))
    return c.json(health, health.status === 'ok' ? 200 : 503)
  })

  // The gateway's own issuer.
  app.get('/.well-known/jwks.json', async (c) => {
    c.header('cache-control', 'public, max-age=300')
    return c.json(await identity.jwks())
  })

  // Management: REST over the registry's verbs, described by OpenAPI.
  const caller = {
    context: (c: Context<HttpEnv>) => c.get('call'),
    actor: (c: Context<HttpEnv>) => actorOf(deps, c),
  }
  const management = registryRoutes<HttpEnv>({ verbs: registry.verbs, ...caller })
  // Sessions for programs that speak no MCP.
  const { restVerbs: verbs, listAllTools, endpoint, sse } = deps.mcp
  const { maxBodyBytes } = config
  management.route('/mcp', restSessionRoutes<HttpEnv>({ verbs, maxBodyBytes, ...caller }))
  describeAllTools(management)
  app.route('/api/v1', management)
  app.get('/openapi.json', (c) =>
    c.json(management.getOpenAPI31Document(openApi(config.publicUrl))),
  )

  // MCP: /mcp, /{path}/mcp, and the metadata that tells a client where to get a token.
  const toolReader = {
    ...caller,
    actor: (c: Context<HttpEnv>) => actorOf(deps, c, endpointUrl(config.publicUrl, 'mcp')),
  }
  app.route('/', allToolsRoutes<HttpEnv>({ listAllTools, ...toolReader }))
  const front = {
    identity,
    publicUrl: config.publicUrl,
    authorizationServers:
      config.issuers.length > 0 ? config.issuers.map(({ issuer }) => issuer) : [config.publicUrl],
    ...(config.advertisedScopes.length > 0 ? { scopesSupported: config.advertisedScopes } : {}),
  }
  app.route('/', createMcpRoutes({ ...front, endpoint }))
  // The transport of 2024-11-05: /sse, /{path}/sse, and where their clients post.
  app.route('/', createSseRoutes({ ...front, sse }))
  return app
}

/** Who manages, and what the tenant's policy lets them do. */
async function actorOf(
  { config, identity, limits, registry }: Deps,
  c: Context<HttpEnv>,
  url = `${config.publicUrl}/api/v1`,
): Promise<Actor> {
  const call = c.get('call')
  const principal = await identity.authenticate(c.req.raw.headers, {
    url,
    metadataUrl: resourceMetadataUrl(config.publicUrl),
  })
  call.facts.principal = principal.key
  call.facts.tenant = principal.tenant
  const { limits: rules } = await registry.snapshots.tenant(call, principal.tenant)
  await requireAdmission(call, limits, principal, rules)
  return registry.snapshots.actor(call, principal)
}

const openApi = (publicUrl: string) => ({
  openapi: '3.1.0',
  info: {
    title: 'Gatehouse management API',
    version: '1',
    description: 'Errors are RFC 9457 problem documents with a stable `code` and a `requestId`.',
  },
  servers: [{ url: `${publicUrl}/api/v1` }],
})
