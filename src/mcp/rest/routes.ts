import { OpenAPIHono } from '@hono/zod-openapi'
import { type Context, type Env, Hono } from 'hono'
import { type CallContext, parseInput } from '../../core/index.ts'
import { jsonBody, queryOf, refuseQuery } from '../../http/index.ts'
import type { Actor } from '../../policy/index.ts'
import { ALL_TOOLS_ROUTE, SESSION_ROUTES } from './route-definitions.ts'
import { CursorQuery } from './schemas.ts'
import type { RestVerbs } from './verbs.ts'

export interface RestSessionRoutesDeps<E extends Env> {
  readonly verbs: RestVerbs
  readonly maxBodyBytes: number
  context(c: Context<E>): CallContext
  /** Spends the one permit of a request. Throws `unauthenticated`, `rate_limited`. */
  actor(c: Context<E>): Promise<Actor>
}

/**
 * The sessions of S-C, by which a plain HTTP program uses MCP; to be mounted at `/api/v1/mcp`.
 * Thin, like the registry's routes: the verbs check and parse. Errors are thrown as `GatewayError`.
 */
export function restSessionRoutes<E extends Env>(deps: RestSessionRoutesDeps<E>): OpenAPIHono<E> {
  const app = new OpenAPIHono<E>()
  const { verbs } = deps

  type Call = { readonly ctx: CallContext; readonly actor: Actor; readonly id: string }
  function on(
    name: keyof typeof SESSION_ROUTES,
    handler: (call: Call, c: Context<E>) => Promise<Response>,
  ): void {
    const route = SESSION_ROUTES[name]
    app.openAPIRegistry.registerPath(route)
    app.on(route.method, route.getRoutingPath(), async (c) => {
      const ctx = deps.context(c)
      const actor = await deps.actor(c)
      refuseQuery(c.req.raw)
      return handler({ ctx, actor, id: c.req.param('id') ?? '' }, c)
    })
  }
  const body = (c: Context<E>) => jsonBody(c.req.raw, deps.maxBodyBytes)

  on('connect', async ({ ctx, actor }, c) =>
    c.json(await verbs.connect(ctx, actor, await body(c)), 201),
  )
  on('listTools', async ({ ctx, actor, id }, c) => c.json(await verbs.listTools(ctx, actor, id)))
  on('listResources', async ({ ctx, actor, id }, c) =>
    c.json(await verbs.listResources(ctx, actor, id)),
  )
  on('listPrompts', async ({ ctx, actor, id }, c) =>
    c.json(await verbs.listPrompts(ctx, actor, id)),
  )
  on('info', async ({ ctx, actor, id }, c) => c.json(await verbs.showSession(ctx, actor, id)))
  on('callTool', async ({ ctx, actor, id }, c) =>
    c.json(await verbs.callTool(ctx, actor, id, await body(c))),
  )
  on('readResource', async ({ ctx, actor, id }, c) =>
    c.json(await verbs.readResource(ctx, actor, id, await body(c))),
  )
  on('disconnect', async ({ ctx, actor, id }, c) => {
    await verbs.disconnect(ctx, actor, id)
    return c.body(null, 204)
  })
  return app
}

/** A page of the merged list of `/mcp`. */
type ListAllTools = (
  ctx: CallContext,
  actor: Actor,
  cursor?: string,
) => Promise<{ readonly tools: readonly unknown[]; readonly nextCursor?: string }>

/** S-A's `GET /mcp/tools`; to be mounted at the root. */
export function allToolsRoutes<E extends Env>(deps: {
  readonly listAllTools: ListAllTools
  context(c: Context<E>): CallContext
  actor(c: Context<E>): Promise<Actor>
}): Hono<E> {
  const app = new Hono<E>()
  app.get(ALL_TOOLS_ROUTE.path, async (c) => {
    const ctx = deps.context(c)
    const actor = await deps.actor(c)
    const { cursor } = parseInput(CursorQuery, queryOf(c.req.raw))
    return c.json(await deps.listAllTools(ctx, actor, cursor))
  })
  return app
}

/** Puts `GET /mcp/tools` into the document of an app that is mounted elsewhere. */
export function describeAllTools(app: Pick<OpenAPIHono, 'openAPIRegistry'>): void {
  app.openAPIRegistry.registerPath(ALL_TOOLS_ROUTE)
}
