import { type CallContext, GatewayError } from '../../core/index.ts'
import { type CounterUse, readCounterKey } from '../../limits/index.ts'
import { type Actor, requirePermission } from '../../policy/index.ts'
import type { LimitUsage } from '../limit-rules/limit-rule-views.ts'
import type { VerbDeps } from '../verb-deps.ts'

/** Counters that one answer shows. */
const MAX_SHOWN = 200

/**
 * What is used now of every limit, the deployment's own too. Throws `forbidden`, and
 * `policy_unavailable` when the tenant's limiter cannot be asked.
 */
export function createLimitUsage(deps: Pick<VerbDeps, 'repositories' | 'limiter'>) {
  return async function limitUsage(_ctx: CallContext, actor: Actor): Promise<LimitUsage> {
    requirePermission(actor, 'manage_policy')
    const { tenant } = actor.principal
    const stored = await deps.repositories.limitRules.list(tenant)
    const names = new Map(stored.map(({ rule }) => [rule.id, rule.name]))
    const uses = await usesOf(deps, tenant)
    const counters = uses.flatMap(({ key, ...use }) => {
      const read = readCounterKey(key)
      if (read === undefined) return []
      const { rule, partition } = read
      // Counters of a rule that was deleted lie there until they are idle.
      const name = rule === 'principal' || rule === 'tenant' ? rule : names.get(rule)
      return name === undefined ? [] : [{ rule, name, partition, ...use }]
    })
    return { counters: counters.slice(0, MAX_SHOWN), isCut: counters.length > MAX_SHOWN }
  }
}

async function usesOf(
  { limiter }: Pick<VerbDeps, 'limiter'>,
  tenant: Parameters<VerbDeps['limiter']>[0],
): Promise<readonly CounterUse[]> {
  try {
    return await limiter(tenant).usage()
  } catch (cause) {
    throw new GatewayError('policy_unavailable', 'The limiter cannot be asked at the moment.', {
      cause,
    })
  }
}
