import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context, Env } from 'hono'
import { type CallContext, GatewayError, readBounded } from '../core/index.ts'
import type { Actor } from '../policy/index.ts'
import type { RegistryVerbs } from './registry.ts'
import { describeSecurity, ROUTES } from './route-definitions.ts'
import { invalidInput, NoQuery, parseInput, WriteQuery } from './schemas.ts'

/** A management body: a server of 10 endpoints and 20 headers is 30 KB, a large policy 200. */
const MAX_BODY_BYTES = 1024 * 1024

export interface RegistryRoutesDeps<E extends Env> {
  readonly verbs: RegistryVerbs
  context(c: Context<E>): CallContext
  /** Throws `unauthenticated`. */
  actor(c: Context<E>): Promise<Actor>
}

/**
 * The REST surface, to be mounted at `/api/v1`. Thin: the verbs check permission and parse their
 * input, so the schemas of the definitions serve the OpenAPI document alone. Errors are thrown as
 * `GatewayError` for the app's `onError`.
 */
export function registryRoutes<E extends Env>(deps: RegistryRoutesDeps<E>): OpenAPIHono<E> {
  const app = new OpenAPIHono<E>()
  describeSecurity(app)
  const { verbs } = deps

  type Call = { readonly c: Context<E>; readonly ctx: CallContext; readonly actor: Actor }
  function on(name: keyof typeof ROUTES, handler: (call: Call) => Promise<Response>): void {
    const route = ROUTES[name]
    app.openAPIRegistry.registerPath(route)
    app.on(route.method, route.getRoutingPath(), async (c) => {
      const ctx = deps.context(c)
      return handler({ c, ctx, actor: await deps.actor(c) })
    })
  }

  on('registerServer', async ({ c, ctx, actor }) => {
    const options = writeOptions(c)
    const server = await verbs.registerServer(ctx, actor, await jsonBody(c), options)
    c.header('location', `${new URL(c.req.url).pathname.replace(/\/$/, '')}/${server.path}`)
    return c.json(server, 201)
  })
  on('listServers', async ({ c, ctx, actor }) =>
    c.json(await verbs.listServers(ctx, actor, queryOf(c))),
  )
  on('getServer', async ({ c, ctx, actor }) => {
    refuseQuery(c)
    return c.json(await verbs.getServer(ctx, actor, pathOf(c)))
  })
  on('replaceServer', async ({ c, ctx, actor }) => {
    const options = writeOptions(c)
    return c.json(await verbs.replaceServer(ctx, actor, pathOf(c), await jsonBody(c), options))
  })
  on('patchServer', async ({ c, ctx, actor }) => {
    const options = writeOptions(c)
    return c.json(await verbs.patchServer(ctx, actor, pathOf(c), await jsonBody(c), options))
  })
  on('deleteServer', async ({ c, ctx, actor }) => {
    refuseQuery(c)
    await verbs.deleteServer(ctx, actor, pathOf(c))
    return c.body(null, 204)
  })
  on('toggleServer', async ({ c, ctx, actor }) => {
    refuseQuery(c)
    return c.json(await verbs.toggleServer(ctx, actor, pathOf(c), await optionalJsonBody(c)))
  })
  on('refreshServer', async ({ c, ctx, actor }) => {
    refuseQuery(c)
    return c.json(await verbs.refreshServer(ctx, actor, pathOf(c)))
  })
  on('listTools', async ({ c, ctx, actor }) =>
    c.json(await verbs.listTools(ctx, actor, pathOf(c), queryOf(c))),
  )
  on('serverHealth', async ({ c, ctx, actor }) => {
    refuseQuery(c)
    return c.json(await verbs.serverHealth(ctx, actor, pathOf(c)))
  })
  on('me', async ({ c, ctx, actor }) => {
    refuseQuery(c)
    return c.json(verbs.me(ctx, actor))
  })
  on('getPolicy', async ({ c, ctx, actor }) => {
    refuseQuery(c)
    return c.json(await verbs.getPolicy(ctx, actor))
  })
  on('replacePolicy', async ({ c, ctx, actor }) => {
    refuseQuery(c)
    return c.json(await verbs.replacePolicy(ctx, actor, await jsonBody(c)))
  })
  return app
}

function pathOf(c: Context): string {
  return c.req.param('path') ?? ''
}

/** The query as an object. Throws `invalid_params` for a parameter given twice. */
function queryOf(c: Context): Record<string, string> {
  const repeated = Object.entries(c.req.queries()).filter(([, values]) => values.length > 1)
  if (repeated.length > 0) {
    throw invalidInput(repeated.map(([path]) => ({ path, message: 'must be given once' })))
  }
  return c.req.query()
}

function refuseQuery(c: Context): void {
  parseInput(NoQuery, queryOf(c))
}

function writeOptions(c: Context): { allowUnreachable: boolean } {
  return { allowUnreachable: parseInput(WriteQuery, queryOf(c)).allowUnreachable === 'true' }
}

/** Throws `unsupported_media_type`, `body_too_large`, `parse_error`. */
async function jsonBody(c: Context): Promise<unknown> {
  if (mediaTypeOf(c) !== 'application/json') throw notJson()
  return parseJson(await readBounded(c.req.raw.body, MAX_BODY_BYTES))
}

/** An empty body is an empty object, with or without a content type. */
async function optionalJsonBody(c: Context): Promise<unknown> {
  if (mediaTypeOf(c) === 'application/json' || mediaTypeOf(c) === undefined) {
    const text = await readBounded(c.req.raw.body, MAX_BODY_BYTES)
    if (text === '') return {}
    if (mediaTypeOf(c) !== undefined) return parseJson(text)
  }
  throw notJson()
}

function mediaTypeOf(c: Context): string | undefined {
  return c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
}

function notJson(): GatewayError {
  return new GatewayError('unsupported_media_type', 'The body must be application/json.')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('parse_error', 'The body is not valid JSON.', { cause })
  }
}
