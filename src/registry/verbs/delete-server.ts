import type { CallContext } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import type { VerbDeps } from '../verb-deps.ts'

/**
 * Deletes a server with its endpoints, tags and catalogue. Throws `not_found`, `forbidden`. Change
 * log: `server.delete`.
 */
export function createDeleteServer(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function deleteServer(ctx: CallContext, actor: Actor, path: string): Promise<void> {
    const server = await authorizeServer(deps.repositories, actor, 'delete_service', path)
    await deps.repositories.servers.remove(ctx, server, {
      tenant: server.tenant,
      actor: actor.principal.key,
      action: 'server.delete',
      target: server.path,
      summary: { id: server.id, owner: server.owner },
    })
    deps.snapshots.drop(server.tenant)
  }
}
