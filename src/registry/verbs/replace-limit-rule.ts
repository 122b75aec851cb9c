import { type CallContext, parseInput } from '../../core/index.ts'
import { LimitRuleInput } from '../../limits/index.ts'
import type { Actor } from '../../policy/index.ts'
import { findLimitRule } from '../limit-rules/find-limit-rule.ts'
import type { LimitRuleOut } from '../limit-rules/limit-rule-views.ts'
import { updateLimitRule } from '../limit-rules/update-limit-rule.ts'
import type { VerbDeps } from '../verb-deps.ts'

/**
 * Writes a limit rule anew; what is used of it stays used unless its window changes. Throws
 * `forbidden`, `not_found`, `invalid_params`, `conflict`. Change log: `limit.update`.
 */
export function createReplaceLimitRule(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function replaceLimitRule(
    ctx: CallContext,
    actor: Actor,
    id: string,
    input: unknown,
  ): Promise<LimitRuleOut> {
    const stored = await findLimitRule(deps, actor, id)
    return updateLimitRule(deps, ctx, actor, stored, parseInput(LimitRuleInput, input))
  }
}
