import type { CallContext } from '../../core/index.ts'
import { type Actor, type PolicySeed, requirePermission } from '../../policy/index.ts'
import { policySeedOf } from '../policy-seed-view.ts'
import type { VerbDeps } from '../verb-deps.ts'

/** The tenant's policy as D1 has it now, without the built-in scopes. Throws `forbidden`. */
export function createGetPolicy(deps: Pick<VerbDeps, 'repositories'>) {
  return async function getPolicy(_ctx: CallContext, actor: Actor): Promise<PolicySeed> {
    requirePermission(actor, 'manage_policy')
    return policySeedOf(await deps.repositories.policies.load(actor.principal.tenant))
  }
}
