import { type CallContext, parseInput } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeVirtual } from '../authorize.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { checkSelectors } from '../virtual/fleet-choices.ts'
import { loadOffers, updateVirtual } from '../virtual/update-virtual.ts'
import { refKey } from '../virtual/virtual-choices.ts'
import { repinItems } from '../virtual/virtual-pins.ts'
import { RepinInput } from '../virtual/virtual-schemas.ts'
import type { VirtualServerOut } from '../virtual/virtual-views.ts'

/** Items that a change-log row names, and characters of each. */
const MAX_NAMED = 50
const MAX_NAME_CHARS = 200

/**
 * Accepts what upstreams offer now: for the named items, or for all that are offered to the actor.
 * Throws `not_found`, `forbidden`, `invalid_params`, `conflict`. Change log: `virtual.repin`.
 */
export function createRepinVirtualServer(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function repinVirtualServer(
    ctx: CallContext,
    actor: Actor,
    path: string,
    input: unknown,
  ): Promise<VirtualServerOut> {
    const virtual = await authorizeVirtual(deps.repositories, actor, 'modify_service', path)
    const { items: named } = parseInput(RepinInput, input)
    const offers = await loadOffers(deps, virtual.tenant, virtual.items)
    const items = repinItems(actor, virtual.items, named, offers)
    await checkSelectors(deps, virtual.tenant, items, offers)
    const repinned = items.filter((item, at) => item.contentHash !== virtual.items[at]?.contentHash)
    return updateVirtual(deps, ctx, actor, virtual, {
      changes: { items },
      action: 'virtual.repin',
      summary: {
        repinned: repinned.length,
        items: repinned.slice(0, MAX_NAMED).map((item) => refKey(item).slice(0, MAX_NAME_CHARS)),
      },
      offers,
    })
  }
}
