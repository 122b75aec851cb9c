import { GatewayError } from '../../core/index.ts'
import { type Actor, requirePermission } from '../../policy/index.ts'
import type { VerbDeps } from '../verb-deps.ts'
import type { StoredLimitRule } from './limit-rule-views.ts'

/** The rule of the actor's tenant. Throws `forbidden`, and `not_found` for another tenant's too. */
export async function findLimitRule(
  { repositories }: Pick<VerbDeps, 'repositories'>,
  actor: Actor,
  id: string,
): Promise<StoredLimitRule> {
  requirePermission(actor, 'manage_policy')
  const found = await repositories.limitRules.find(actor.principal.tenant, id)
  if (found !== undefined) return found
  throw new GatewayError(
    'not_found',
    `There is no limit with the id ${JSON.stringify(id.slice(0, 64))}.`,
  )
}
