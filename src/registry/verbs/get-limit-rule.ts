import type { CallContext } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { findLimitRule } from '../limit-rules/find-limit-rule.ts'
import { type LimitRuleOut, limitRuleOutOf } from '../limit-rules/limit-rule-views.ts'
import type { VerbDeps } from '../verb-deps.ts'

/** One limit rule. Throws `forbidden`, `not_found`. */
export function createGetLimitRule(deps: Pick<VerbDeps, 'repositories'>) {
  return async function getLimitRule(
    _ctx: CallContext,
    actor: Actor,
    id: string,
  ): Promise<LimitRuleOut> {
    return limitRuleOutOf(await findLimitRule(deps, actor, id))
  }
}
