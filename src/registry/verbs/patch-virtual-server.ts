import { type CallContext, parseInput } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeVirtual } from '../authorize.ts'
import { checkGroups, withoutUndefined } from '../schemas.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { fleetChoices } from '../virtual/fleet-choices.ts'
import { updateChoices } from '../virtual/update-virtual.ts'
import { choicesOf, itemsLeftAlone, withoutLists } from '../virtual/virtual-choices.ts'
import { VirtualServerPatch } from '../virtual/virtual-schemas.ts'
import type { VirtualServerOut } from '../virtual/virtual-views.ts'

/**
 * Changes the members that the patch names; a list replaces the items of its kind, of which those
 * it had before keep their pins. Throws `not_found`, `forbidden`, `invalid_params`, `conflict`.
 * Change log: `virtual.update`.
 */
export function createPatchVirtualServer(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function patchVirtualServer(
    ctx: CallContext,
    actor: Actor,
    path: string,
    input: unknown,
  ): Promise<VirtualServerOut> {
    const virtual = await authorizeVirtual(deps.repositories, actor, 'modify_service', path)
    const lists = parseInput(VirtualServerPatch, input)
    const columns = withoutUndefined(withoutLists(lists))
    checkGroups({ ...virtual, ...columns })
    const kept = itemsLeftAlone(virtual.items, lists)
    const inFleets = await fleetChoices(deps, actor, lists.fleets ?? [])
    const choices = [...choicesOf(lists), ...inFleets]
    return updateChoices(deps, ctx, actor, virtual, { columns, choices, kept })
  }
}
