import type { CallContext } from '../../core/index.ts'
import { type Actor, requirePermission } from '../../policy/index.ts'
import { type LimitRuleList, limitRuleOutOf } from '../limit-rules/limit-rule-views.ts'
import type { VerbDeps } from '../verb-deps.ts'

/** All limit rules of the tenant as D1 has them now, by name. Throws `forbidden`. */
export function createListLimitRules(deps: Pick<VerbDeps, 'repositories'>) {
  return async function listLimitRules(_ctx: CallContext, actor: Actor): Promise<LimitRuleList> {
    requirePermission(actor, 'manage_policy')
    const stored = await deps.repositories.limitRules.list(actor.principal.tenant)
    return { rules: stored.map(limitRuleOutOf) }
  }
}
