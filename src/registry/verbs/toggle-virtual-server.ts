import { type CallContext, parseInput } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeVirtual } from '../authorize.ts'
import { ToggleInput } from '../schemas.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { loadOffers, updateVirtual } from '../virtual/update-virtual.ts'
import type { VirtualServerOut } from '../virtual/virtual-views.ts'

/**
 * Enables or disables a virtual server; flips it when the input does not say. Throws `not_found`,
 * `forbidden`, `invalid_params`, `conflict`. Change log: `virtual.toggle`.
 */
export function createToggleVirtualServer(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function toggleVirtualServer(
    ctx: CallContext,
    actor: Actor,
    path: string,
    input: unknown,
  ): Promise<VirtualServerOut> {
    const virtual = await authorizeVirtual(deps.repositories, actor, 'toggle_service', path)
    const { enabled = !virtual.enabled } = parseInput(ToggleInput, input)
    return updateVirtual(deps, ctx, actor, virtual, {
      changes: { enabled },
      action: 'virtual.toggle',
      summary: { enabled },
      offers: await loadOffers(deps, virtual.tenant, virtual.items),
    })
  }
}
