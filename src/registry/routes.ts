import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context, Env } from 'hono'
import type { CallContext } from '../core/index.ts'
import type { Actor } from '../policy/index.ts'
import type { RouteDefinition } from './base-route-definitions.ts'
import { LIMIT_ROUTES } from './limit-rules/limit-rule-route-definitions.ts'
import { limitHandlers } from './limit-rules/limit-rule-routes.ts'
import type { RegistryVerbs } from './registry.ts'
import {
  answerBy,
  body,
  created,
  gone,
  optionalBody,
  path,
  query,
  type RestHandler,
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
        const named = c.req.param('path') ?? c.req.param('id') ?? ''
        return handlers[name]({ request: c.req.raw, path: named, ctx, actor })
      })
    }
  }

  mount(ROUTES, serverHandlers(deps.verbs))
  mount(VIRTUAL_ROUTES, virtualHandlers(deps.verbs))
  mount(LIMIT_ROUTES, limitHandlers(deps.verbs))
  mount(SERVICE_ROUTES, serviceHandlers(deps.verbs))
  return app
}

function serverHandlers(verbs: RegistryVerbs): Record<keyof typeof ROUTES, RestHandler> {
  return {
    registerServer: answerBy(verbs.registerServer, [body, writeOptions], created),
    listServers: answerBy(verbs.listServers, [query]),
    getServer: answerBy(verbs.getServer, [path]),
    replaceServer: answerBy(verbs.replaceServer, [path, body, writeOptions]),
    patchServer: answerBy(verbs.patchServer, [path, body, writeOptions]),
    deleteServer: answerBy(verbs.deleteServer, [path], gone),
    toggleServer: answerBy(verbs.toggleServer, [path, optionalBody]),
    refreshServer: answerBy(verbs.refreshServer, [path]),
    listTools: answerBy(verbs.listTools, [path, query]),
    serverHealth: answerBy(verbs.serverHealth, [path]),
    me: answerBy(verbs.me, []),
    getPolicy: answerBy(verbs.getPolicy, []),
    replacePolicy: answerBy(verbs.replacePolicy, [body]),
  }
}
