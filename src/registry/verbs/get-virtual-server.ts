import type { CallContext } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeVirtual } from '../authorize.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { loadOffers } from '../virtual/update-virtual.ts'
import { type VirtualServerOut, virtualOutOf } from '../virtual/virtual-views.ts'

/** One virtual server that the actor may list, and how its pins stand. Throws `not_found`. */
export function createGetVirtualServer(deps: Pick<VerbDeps, 'repositories'>) {
  return async function getVirtualServer(
    _ctx: CallContext,
    actor: Actor,
    path: string,
  ): Promise<VirtualServerOut> {
    const virtual = await authorizeVirtual(deps.repositories, actor, 'list_service', path)
    return virtualOutOf(actor, virtual, await loadOffers(deps, virtual.tenant, virtual.items))
  }
}
