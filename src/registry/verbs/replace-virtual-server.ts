import { type CallContext, parseInput } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeVirtual } from '../authorize.ts'
import { checkPath } from '../schemas.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { fleetChoices } from '../virtual/fleet-choices.ts'
import { updateChoices } from '../virtual/update-virtual.ts'
import { choicesOf, withoutLists } from '../virtual/virtual-choices.ts'
import { VirtualServerInput } from '../virtual/virtual-schemas.ts'
import type { VirtualServerOut } from '../virtual/virtual-views.ts'

/**
 * Replaces everything of a virtual server but its path and owner. Items it had before keep their
 * pins; `repinVirtualServer` renews them. Throws `not_found`, `forbidden`, `invalid_params`,
 * `conflict`. Change log: `virtual.update`.
 */
export function createReplaceVirtualServer(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function replaceVirtualServer(
    ctx: CallContext,
    actor: Actor,
    path: string,
    input: unknown,
  ): Promise<VirtualServerOut> {
    const virtual = await authorizeVirtual(deps.repositories, actor, 'modify_service', path)
    const { path: named, ...wanted } = parseInput(VirtualServerInput, input)
    checkPath(named, virtual.path)
    const columns = withoutLists(wanted)
    const choices = [...choicesOf(wanted), ...(await fleetChoices(deps, actor, wanted.fleets))]
    return updateChoices(deps, ctx, actor, virtual, { columns, choices, kept: [] })
  }
}
