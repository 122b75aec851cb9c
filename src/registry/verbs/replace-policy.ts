import type { CallContext } from '../../core/index.ts'
import {
  type Actor,
  type PolicySeed,
  parsePolicySeed,
  requirePermission,
} from '../../policy/index.ts'
import { policySeedOf } from '../policy-seed-view.ts'
import type { VerbDeps } from '../verb-deps.ts'

/**
 * Makes the seed the tenant's whole policy. Throws `forbidden`, `invalid_params` with every
 * problem of the seed. Change log: `policy.replace`.
 */
export function createReplacePolicy(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function replacePolicy(
    ctx: CallContext,
    actor: Actor,
    input: unknown,
  ): Promise<PolicySeed> {
    requirePermission(actor, 'manage_policy')
    const document = parsePolicySeed(input)
    const { tenant, key } = actor.principal
    await deps.repositories.policies.replace(ctx, tenant, document, {
      tenant,
      actor: key,
      action: 'policy.replace',
      target: 'policy',
      summary: {
        scopes: Object.keys(document.scopes),
        groups: Object.keys(document.groupMappings),
      },
    })
    deps.snapshots.drop(tenant)
    return policySeedOf(document)
  }
}
