import { type CallContext, parseInput } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import { patchHeaders } from '../custom-headers.ts'
import {
  checkEndpoints,
  checkGroups,
  checkResilience,
  ServerPatch,
  withoutUndefined,
} from '../schemas.ts'
import { updateServer } from '../update-server.ts'
import type { VerbDeps } from '../verb-deps.ts'
import type { ServerOut } from '../views.ts'

/**
 * Changes the members that the patch names. Throws `not_found`, `forbidden`, `invalid_params`,
 * `upstream_failed`, and `upstream_unreachable` unless `allowUnreachable`. Change log:
 * `server.update`.
 */
export function createPatchServer(deps: VerbDeps) {
  return async function patchServer(
    ctx: CallContext,
    actor: Actor,
    path: string,
    input: unknown,
    options: { readonly allowUnreachable: boolean },
  ): Promise<ServerOut> {
    const server = await authorizeServer(deps.repositories, actor, 'modify_service', path)
    const { headers: headerPatch, endpoints, transport, ...patch } = parseInput(ServerPatch, input)
    const columns = {
      ...withoutUndefined(patch),
      ...(transport && { transportChoice: transport }),
    }
    const patched = { ...server, ...columns }
    checkGroups(patched)
    checkResilience(patch.resilience, patched, deps.resilience)
    const choice = transport ?? server.transportChoice
    if (endpoints || transport) {
      checkEndpoints(endpoints ?? server.endpoints, deps.privateHosts, choice)
    }
    const { tenant, id, headersSealed } = server
    const headers =
      headerPatch && patchHeaders(await deps.headers.open(tenant, id, headersSealed), headerPatch)
    return updateServer(deps, ctx, actor, server, { columns, headers, endpoints, ...options })
  }
}
