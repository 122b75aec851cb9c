import type { RegistryVerbs } from '../registry.ts'
import { queryOf, type RestHandler, refuseQuery } from '../rest-input.ts'
import type { SERVICE_ROUTES } from './service-route-definitions.ts'

/** Answers the routes of the service list. */
export function serviceHandlers(
  verbs: RegistryVerbs,
): Record<keyof typeof SERVICE_ROUTES, RestHandler> {
  return {
    async listServices({ request, ctx, actor }) {
      return Response.json(await verbs.listServices(ctx, actor, queryOf(request)))
    },
    async getService({ request, path, ctx, actor }) {
      refuseQuery(request)
      return Response.json(await verbs.getService(ctx, actor, path))
    },
    async serviceHealth({ request, path, ctx, actor }) {
      refuseQuery(request)
      return Response.json(await verbs.serviceHealth(ctx, actor, path))
    },
  }
}
