import type { CallContext } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeVirtual } from '../authorize.ts'
import type { VerbDeps } from '../verb-deps.ts'

/** Deletes a virtual server. Throws `not_found`, `forbidden`. Change log: `virtual.delete`. */
export function createDeleteVirtualServer(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function deleteVirtualServer(
    ctx: CallContext,
    actor: Actor,
    path: string,
  ): Promise<void> {
    const virtual = await authorizeVirtual(deps.repositories, actor, 'delete_service', path)
    await deps.repositories.virtuals.remove(ctx, virtual, {
      tenant: virtual.tenant,
      actor: actor.principal.key,
      action: 'virtual.delete',
      target: virtual.path,
      summary: { id: virtual.id, owner: virtual.owner },
    })
    deps.snapshots.drop(virtual.tenant)
  }
}
