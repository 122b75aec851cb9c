import type { CallContext } from '../../core/index.ts'
import type { LimitRuleInput } from '../../limits/index.ts'
import type { Actor } from '../../policy/index.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type LimitRuleOut, limitRuleOutOf, type StoredLimitRule } from './limit-rule-views.ts'

/** Writes the rule anew with its change-log row, `limit.update`, and shows it. */
export async function updateLimitRule(
  deps: Pick<VerbDeps, 'repositories' | 'snapshots'>,
  ctx: CallContext,
  actor: Actor,
  stored: StoredLimitRule,
  rule: LimitRuleInput,
): Promise<LimitRuleOut> {
  const { tenant, key } = actor.principal
  const { id } = stored.rule
  const before: Readonly<Record<string, unknown>> = stored.rule
  const names = new Set([...Object.keys(stored.rule), ...Object.keys(rule)])
  names.delete('id')
  const after: Readonly<Record<string, unknown>> = rule
  const changed = [...names].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  )
  const updatedAt = await deps.repositories.limitRules.update(ctx, tenant, stored, rule, {
    ...{ tenant, actor: key, action: 'limit.update', target: id },
    summary: { name: rule.name, changed },
  })
  deps.snapshots.drop(tenant)
  return limitRuleOutOf({ ...stored, rule: { id, ...rule }, updatedAt })
}
