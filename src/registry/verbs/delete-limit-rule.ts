import type { CallContext } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { findLimitRule } from '../limit-rules/find-limit-rule.ts'
import type { VerbDeps } from '../verb-deps.ts'

/** Deletes a limit rule. Throws `forbidden`, `not_found`. Change log: `limit.delete`. */
export function createDeleteLimitRule(deps: Pick<VerbDeps, 'repositories' | 'snapshots'>) {
  return async function deleteLimitRule(ctx: CallContext, actor: Actor, id: string): Promise<void> {
    const { rule } = await findLimitRule(deps, actor, id)
    const { tenant, key } = actor.principal
    await deps.repositories.limitRules.remove(ctx, tenant, rule.id, {
      ...{ tenant, actor: key, action: 'limit.delete', target: rule.id },
      summary: { name: rule.name },
    })
    deps.snapshots.drop(tenant)
  }
}
