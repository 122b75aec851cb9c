import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context, Env } from 'hono'
import type { CallContext } from '../../core/index.ts'
import { queryOf } from '../../http/index.ts'
import type { Actor } from '../../policy/index.ts'
import type { FindOffers } from './find-offers.ts'
import { DISCOVERY_ROUTES } from './route-definitions.ts'

export interface DiscoveryRoutesDeps<E extends Env> {
  readonly findOffers: FindOffers
  context(c: Context<E>): CallContext
  /** Spends the one permit of a request. Throws `unauthenticated`, `rate_limited`. */
  actor(c: Context<E>): Promise<Actor>
}

/** Capability discovery; to be mounted at `/api/v1/discovery`. Thin: the verbs check and parse. */
export function discoveryRoutes<E extends Env>(deps: DiscoveryRoutesDeps<E>): OpenAPIHono<E> {
  const app = new OpenAPIHono<E>()
  for (const name of ['findTools', 'findResources'] as const) {
    const route = DISCOVERY_ROUTES[name]
    app.openAPIRegistry.registerPath(route)
    app.get(route.getRoutingPath(), async (c) => {
      const ctx = deps.context(c)
      const actor = await deps.actor(c)
      return c.json(await deps.findOffers[name](ctx, actor, queryOf(c.req.raw)))
    })
  }
  return app
}
