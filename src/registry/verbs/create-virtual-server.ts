import { type CallContext, parseInput } from '../../core/index.ts'
import { type Actor, requirePermission } from '../../policy/index.ts'
import { pathTaken } from '../server-repository.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { checkSelectors, fleetChoices } from '../virtual/fleet-choices.ts'
import { loadOffers } from '../virtual/update-virtual.ts'
import { checkChoices, choicesOf, countItems, withoutLists } from '../virtual/virtual-choices.ts'
import { pinChoices } from '../virtual/virtual-pins.ts'
import type { StoredVirtual } from '../virtual/virtual-rows.ts'
import { VirtualServerInput } from '../virtual/virtual-schemas.ts'
import { type VirtualServerOut, virtualOutOf } from '../virtual/virtual-views.ts'

/**
 * Makes a virtual server of chosen items of others; the actor becomes its owner. Each item is pinned
 * to what its upstream offers now. Throws `forbidden`, `invalid_params` (also for an item that the
 * actor may not list), `conflict` for a path that is taken. Change log: `virtual.create`.
 */
export function createCreateVirtualServer(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function createVirtualServer(
    ctx: CallContext,
    actor: Actor,
    input: unknown,
  ): Promise<VirtualServerOut> {
    requirePermission(actor, 'register_service')
    const wanted = parseInput(VirtualServerInput, input)
    const { tenant, key: owner } = actor.principal
    requirePermission(actor, 'register_service', { ...wanted, owner })
    const choices = [...choicesOf(wanted), ...(await fleetChoices(deps, actor, wanted.fleets))]
    checkChoices(choices, [])
    const { servers, virtuals } = deps.repositories
    if (await servers.isTaken(tenant, wanted.path)) throw pathTaken(wanted.path)

    const offers = await loadOffers(deps, tenant, choices)
    const items = pinChoices(actor, choices, [], offers)
    await checkSelectors(deps, tenant, items, offers, choices)
    const columns = withoutLists(wanted)
    const now = ctx.clock.now()
    const virtual: StoredVirtual = {
      ...columns,
      id: ctx.random.uuid(),
      tenant,
      owner,
      items,
      counts: countItems(items),
      createdAt: now,
      updatedAt: now,
    }
    await virtuals.insert(ctx, virtual, {
      tenant,
      actor: owner,
      action: 'virtual.create',
      target: virtual.path,
      summary: { id: virtual.id, visibility: virtual.visibility, items: virtual.counts },
    })
    deps.snapshots.drop(tenant)
    return virtualOutOf(actor, virtual, offers)
  }
}
