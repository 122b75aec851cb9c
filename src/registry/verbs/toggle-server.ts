import { type CallContext, parseInput } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import { ToggleInput } from '../schemas.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type ServerOut, serverOutOf } from '../views.ts'

/**
 * Enables or disables a server; flips it when the input does not say. Throws `not_found`,
 * `forbidden`, `invalid_params`. Change log: `server.toggle`.
 */
export function createToggleServer(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function toggleServer(
    ctx: CallContext,
    actor: Actor,
    path: string,
    input: unknown,
  ): Promise<ServerOut> {
    const server = await authorizeServer(deps.repositories, actor, 'toggle_service', path)
    const { enabled = !server.enabled } = parseInput(ToggleInput, input)
    const change = {
      tenant: server.tenant,
      actor: actor.principal.key,
      action: 'server.toggle',
      target: server.path,
      summary: { enabled },
    } as const
    await deps.repositories.servers.update(ctx, server, { enabled }, {}, change)
    deps.snapshots.drop(server.tenant)
    return serverOutOf(actor, { ...server, enabled, updatedAt: ctx.clock.now() })
  }
}
