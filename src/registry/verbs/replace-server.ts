import { type CallContext, parseInput } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import { checkEndpoints, checkPath, checkResilience, ServerInput } from '../schemas.ts'
import { updateServer } from '../update-server.ts'
import type { VerbDeps } from '../verb-deps.ts'
import type { ServerOut } from '../views.ts'

/**
 * Replaces everything of a server but its path and owner; what the input leaves out gets its
 * default, custom headers included. Throws `not_found`, `forbidden`, `invalid_params`,
 * `upstream_failed`, and `upstream_unreachable` unless `allowUnreachable`. Change log:
 * `server.update`.
 */
export function createReplaceServer(deps: VerbDeps) {
  return async function replaceServer(
    ctx: CallContext,
    actor: Actor,
    path: string,
    input: unknown,
    options: { readonly allowUnreachable: boolean },
  ): Promise<ServerOut> {
    const server = await authorizeServer(deps.repositories, actor, 'modify_service', path)
    const { path: named, headers, endpoints, transport, ...rest } = parseInput(ServerInput, input)
    checkPath(named, server.path)
    checkEndpoints(endpoints, deps.privateHosts, transport)
    checkResilience(rest.resilience, rest, deps.resilience)
    const columns = { ...rest, transportChoice: transport }
    return updateServer(deps, ctx, actor, server, { columns, headers, endpoints, ...options })
  }
}
