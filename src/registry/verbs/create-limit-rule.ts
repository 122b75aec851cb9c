import { type CallContext, parseInput } from '../../core/index.ts'
import { LimitRuleInput } from '../../limits/index.ts'
import { type Actor, requirePermission } from '../../policy/index.ts'
import { type LimitRuleOut, limitRuleOutOf } from '../limit-rules/limit-rule-views.ts'
import type { VerbDeps } from '../verb-deps.ts'

/**
 * Adds a limit rule to the tenant. Throws `forbidden`, `invalid_params`, `conflict` for a name that
 * is taken or one rule too many. Change log: `limit.create`.
 */
export function createCreateLimitRule(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function createLimitRule(
    ctx: CallContext,
    actor: Actor,
    input: unknown,
  ): Promise<LimitRuleOut> {
    requirePermission(actor, 'manage_policy')
    const rule = { id: ctx.random.uuid(), ...parseInput(LimitRuleInput, input) }
    const { tenant, key } = actor.principal
    await deps.repositories.limitRules.insert(ctx, tenant, rule, {
      ...{ tenant, actor: key, action: 'limit.create', target: rule.id },
      summary: { name: rule.name, per: rule.per, limit: rule.limit },
    })
    deps.snapshots.drop(tenant)
    const now = ctx.clock.now()
    return limitRuleOutOf({ rule, createdAt: now, updatedAt: now })
  }
}
