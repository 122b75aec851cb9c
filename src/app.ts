import { type Context, Hono } from 'hono'
import type { CallContext } from './core/index.ts'
import type { Deps } from './deps.ts'
import {
  createRenderProblem,
  createServe,
  type HttpEnv,
  notFoundHandler,
  type Platform,
  problemHandler,
  requestContext,
} from './http/index.ts'
import { challenge, resourceMetadataUrl } from './identity/index.ts'
import {
  allToolsRoutes,
  createMcpFront,
  createMcpRoutes,
  createSseRoutes,
  describeAllTools,
  discoveryRoutes,
  endpointUrl,
  restSessionRoutes,
} from './mcp/index.ts'
import { openApi } from './open-api.ts'
import { registryRoutes } from './registry/index.ts'
import { actorOf } from './rest-caller.ts'

/** The gateway as a page. */
export interface App {
  fetch(request: Request, platform: Platform): Promise<Response>
}

/**
 * Every request passes the guards, then goes to the one feature that owns its path. Start reading
 * here, then in mcp/relay.ts.
 */
export function createApp(deps: Deps): App {
  const { config, identity, registry } = deps
  const app = new Hono<HttpEnv>()

  const metadataUrl = resourceMetadataUrl(config.publicUrl)
  const renderProblem = createRenderProblem(deps.events, (scope) =>
    challenge(metadataUrl, { code: 'insufficient_scope', scope }),
  )
  const serve = createServe({ ...deps, guards: config, renderProblem })
  app.onError(problemHandler(renderProblem))
  app.notFound(notFoundHandler)
  app.use(requestContext)

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
    actor: (c: Context<HttpEnv>) => actorOf(deps, c.get('call'), c.req.raw),
  }
  const management = registryRoutes<HttpEnv>({ verbs: registry.verbs, ...caller })
  // Sessions for programs that speak no MCP.
  const { restVerbs: verbs, listAllTools, endpoint, sse } = deps.mcp
  const { maxBodyBytes } = config
  management.route('/mcp', restSessionRoutes<HttpEnv>({ verbs, maxBodyBytes, ...caller }))
  // Who has a tool or a resource, and whom the gateway would choose.
  const { findOffers } = deps.mcp
  management.route('/discovery', discoveryRoutes<HttpEnv>({ findOffers, ...caller }))
  describeAllTools(management)
  app.route('/api/v1', management)
  app.get('/openapi.json', (c) =>
    c.json(management.getOpenAPI31Document(openApi(config.publicUrl))),
  )

  // MCP: /mcp, /{path}/mcp, and the metadata that tells a client where to get a token.
  const toolReader = {
    ...caller,
    actor: (c: Context<HttpEnv>) =>
      actorOf(deps, c.get('call'), c.req.raw, endpointUrl(config.publicUrl, 'mcp')),
  }
  app.route('/', allToolsRoutes<HttpEnv>({ listAllTools, ...toolReader }))
  const front = {
    identity,
    publicUrl: config.publicUrl,
    authorizationServers:
      config.issuers.length > 0 ? config.issuers.map(({ issuer }) => issuer) : [config.publicUrl],
    ...(config.advertisedScopes.length > 0 ? { scopesSupported: config.advertisedScopes } : {}),
  }
  const mcp = createMcpFront({ ...front, endpoint })
  app.route('/', createMcpRoutes({ ...front, endpoint }))
  // The transport of 2024-11-05: /sse, /{path}/sse, and where their clients post.
  app.route('/', createSseRoutes({ ...front, sse }))

  const route = (call: CallContext, request: Request) =>
    mcp(call, request) ?? app.fetch(request, { call })
  return { fetch: (request, platform) => serve(request, platform, (call) => route(call, request)) }
}
