import type { RegistryVerbs } from '../registry.ts'
import {
  created,
  jsonBody,
  optionalJsonBody,
  queryOf,
  type RestHandler,
  refuseQuery,
} from '../rest-input.ts'
import type { VIRTUAL_ROUTES } from './virtual-route-definitions.ts'

/** Answers the routes of virtual servers. */
export function virtualHandlers(
  verbs: RegistryVerbs,
): Record<keyof typeof VIRTUAL_ROUTES, RestHandler> {
  return {
    async createVirtualServer({ request, ctx, actor }) {
      refuseQuery(request)
      return created(request, await verbs.createVirtualServer(ctx, actor, await jsonBody(request)))
    },
    async listVirtualServers({ request, ctx, actor }) {
      return Response.json(await verbs.listVirtualServers(ctx, actor, queryOf(request)))
    },
    async getVirtualServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      return Response.json(await verbs.getVirtualServer(ctx, actor, path))
    },
    async replaceVirtualServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      const input = await jsonBody(request)
      return Response.json(await verbs.replaceVirtualServer(ctx, actor, path, input))
    },
    async patchVirtualServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      const input = await jsonBody(request)
      return Response.json(await verbs.patchVirtualServer(ctx, actor, path, input))
    },
    async deleteVirtualServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      await verbs.deleteVirtualServer(ctx, actor, path)
      return new Response(null, { status: 204 })
    },
    async toggleVirtualServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      const input = await optionalJsonBody(request)
      return Response.json(await verbs.toggleVirtualServer(ctx, actor, path, input))
    },
    async repinVirtualServer({ request, path, ctx, actor }) {
      refuseQuery(request)
      const input = await optionalJsonBody(request)
      return Response.json(await verbs.repinVirtualServer(ctx, actor, path, input))
    },
  }
}
