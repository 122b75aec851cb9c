import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context, Env } from 'hono'
import type { CallContext } from '../core/index.ts'
import type { Actor } from '../policy/index.ts'
import type { RouteDefinition } from './base-route-definitions.ts'
import type { RegistryVerbs } from './registry.ts'
import {
  created,
  jsonBody,
  optionalJsonBody,
  queryOf,
  type RestHandler,
  refuseQuery,
  writeOptions,
} from './rest-input.ts'
import { describeSecurity, ROUTES } from './route-definitions.ts'
import { SERVICE_ROUTES } from './services/service-route-definitions.ts'
import { serviceHandlers } from './services/service-routes.ts'
import { VIRTUAL_ROUTES } from './virtual/virtual-route-definitions.ts'
import { virtualHandlers } from './virtual/virtual-routes.ts'

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

  function mount<Name extends string>(
    routes: Readonly<Record<Name, RouteDefinition>>,
    handlers: Readonly<Record<Name, RestHandler>>,
  ): void {
    for (const name of Object.keys(routes) as Name[]) {
      const route = routes[name]
      app.openAPIRegistry.registerPath(route)
      app.on(route.method, route.getRoutingPath(), async (c) => {
        const ctx = deps.context(c)
        const actor = await deps.actor(c)
        const path = c.req.param('path') ?? c.req.param('id') ?? ''
        return handlers[name]({ request: c.req.raw, path, ctx, actor })
      })
    }
  }

  mount(ROUTES, serverHandlers(deps.verbs))
  mount(VIRTUAL_ROUTES, virtualHandlers(deps.verbs))
  mount(SERVICE_ROUTES, serviceHandlers(deps.verbs))
  return app
}

function serverHandlers(verbs: RegistryVerbs): Record<keyof typeof ROUTES, RestHandler> {
  return {
    async registerServer({ request, ctx, actor }) {
      const options = writeOptions(request)
      const server = await verbs.registerServer(ctx, actor, await jsonBody(request), options)
      return created(request, server)
    },
    async listServers({ request, ctx, actor }) {
      return Response.json(await verbs.listServers(ctx, actor, queryOf(request)))
    },
    async getServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      return Response.json(await verbs.getServer(ctx, actor, path))
    },
    async replaceServer({ request, path, ctx, actor }) {
      const options = writeOptions(request)
      const input = await jsonBody(request)
      return Response.json(await verbs.replaceServer(ctx, actor, path, input, options))
    },
    async patchServer({ request, path, ctx, actor }) {
      const options = writeOptions(request)
      const input = await jsonBody(request)
      return Response.json(await verbs.patchServer(ctx, actor, path, input, options))
    },
    async deleteServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      await verbs.deleteServer(ctx, actor, path)
      return new Response(null, { status: 204 })
    },
    async toggleServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      const input = await optionalJsonBody(request)
      return Response.json(await verbs.toggleServer(ctx, actor, path, input))
    },
    async refreshServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      return Response.json(await verbs.refreshServer(ctx, actor, path))
    },
    async listTools({ request, path, ctx, actor }) {
      return Response.json(await verbs.listTools(ctx, actor, path, queryOf(request)))
    },
    async serverHealth({ request, path, ctx, actor }) {
      refuseQuery(request)
      return Response.json(await verbs.serverHealth(ctx, actor, path))
    },
    async me({ request, ctx, actor }) {
      refuseQuery(request)
      return Response.json(verbs.me(ctx, actor))
    },
    async getPolicy({ request, ctx, actor }) {
      refuseQuery(request)
      return Response.json(await verbs.getPolicy(ctx, actor))
    },
    async replacePolicy({ request, ctx, actor }) {
      refuseQuery(request)
      return Response.json(await verbs.replacePolicy(ctx, actor, await jsonBody(request)))
    },
  }
}
