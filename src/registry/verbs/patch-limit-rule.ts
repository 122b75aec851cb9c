import { type CallContext, parseInput } from '../../core/index.ts'
import { LimitRuleInput, LimitRulePatch } from '../../limits/index.ts'
import type { Actor } from '../../policy/index.ts'
import { findLimitRule } from '../limit-rules/find-limit-rule.ts'
import type { LimitRuleOut } from '../limit-rules/limit-rule-views.ts'
import { updateLimitRule } from '../limit-rules/update-limit-rule.ts'
import { withoutUndefined } from '../schemas.ts'
import type { VerbDeps } from '../verb-deps.ts'

/**
 * Changes the members that the patch names. Throws `forbidden`, `not_found`, `invalid_params`,
 * `conflict`. Change log: `limit.update`.
 */
export function createPatchLimitRule(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function patchLimitRule(
    ctx: CallContext,
    actor: Actor,
    id: string,
    input: unknown,
  ): Promise<LimitRuleOut> {
    const stored = await findLimitRule(deps, actor, id)
    const patch = withoutUndefined(parseInput(LimitRulePatch, input))
    const { id: _, window, windowMs, ...rest } = stored.rule
    const hasNewWindow = patch.window !== undefined || patch.windowMs !== undefined
    const kept = hasNewWindow ? {} : withoutUndefined({ window, windowMs })
    const rule = parseInput(LimitRuleInput, { ...rest, ...kept, ...patch })
    return updateLimitRule(deps, ctx, actor, stored, rule)
  }
}
