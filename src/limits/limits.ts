import { type Principal, setBounded, type TenantId } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import { type Account, createAccount } from './account.ts'
import { ADMITTED, type Admission, type HandBack, type LimitsContext } from './admission.ts'
import { createAsk, type TenantState } from './ask.ts'
import { type Counter, principalCounter, ruleCounter, tenantCounter } from './counter.ts'
import type { LeaseGrant, LeaseRequest } from './lease.ts'
import type { CounterUse } from './ledger.ts'
import { type LimitTarget, matchesCaller, matchesTarget, type RuleSet } from './rule-set.ts'
import { createSpend } from './spend.ts'

/** Calls a minute. */
export interface LimitsConfig {
  readonly principalPerMinute: number
  readonly tenantPerMinute: number
}

/** The tenant's `LimiterObject`. */
export interface LimiterStub {
  /** One grant per request, in their order. */
  lease(requests: readonly LeaseRequest[]): Promise<readonly LeaseGrant[]>
  /** What is used now, the fullest counters first. */
  usage(): Promise<readonly CounterUse[]>
}

/** What the limits of an isolate are made of. */
export interface LimitsDeps {
  readonly config: LimitsConfig
  readonly events: Events
  /** The one object of this tenant. */
  object(tenant: TenantId): Pick<LimiterStub, 'lease'>
}

/**
 * Spends one permit of everything that limits a call: all of them, or none. They come from leases
 * this isolate holds, and then the answer is there at once; only without one is the object awaited,
 * once for all. While the object cannot be reached the isolate counts alone and says
 * `limiter_unavailable`: limits must not stop service.
 */
export interface Limits {
  /** Of the principal, its tenant, and the rules about callers. */
  admit(ctx: LimitsContext, principal: Principal, rules: RuleSet): Admission | Promise<Admission>
  /**
   * Of the rules about servers, tools and methods. What hands the permits back is added to
   * `receipt`, for a call that may come to nothing; a permit handed back is as if never spent.
   */
  admitTarget(
    ctx: LimitsContext,
    principal: Principal,
    rules: RuleSet,
    target: LimitTarget,
    receipt?: HandBack[],
  ): Admission | Promise<Admission>
}

/** Counters, accounts and tenants that an isolate remembers; the least recently planned goes first. */
const MAX_REMEMBERED = 5_000
/** Targets whose accounts are kept for a principal. */
const MAX_TARGETS = 200

/** What limits a principal, found once for as long as its token and the rules are the same. */
interface Plan {
  readonly rules: RuleSet
  readonly tenant: TenantState
  readonly arriving: readonly Account[]
  readonly targets: Map<string, readonly Account[]>
}

/** Creates the limits of one isolate. */
export function createLimits({ config, events, object }: LimitsDeps): Limits {
  const spend = createSpend(createAsk({ events, object }))
  const tenants = new Map<string, TenantState>()
  const counters = new Map<string, Counter>()
  const accounts = new Map<string, Account>()
  // A principal lives as long as its verified token is remembered (identity/verify.ts).
  const plans = new WeakMap<Principal, Plan>()

  function planOf(principal: Principal, rules: RuleSet): Plan {
    const known = plans.get(principal)
    if (known?.rules === rules) return known
    const { tenant: id } = principal
    const matching = rules.arriving.filter((rule) => matchesCaller(rule, principal))
    const plan: Plan = {
      rules,
      tenant: recall(tenants, id, () => ({ id, unreachableUntil: 0, holders: new Set() })),
      arriving: [
        principalCounter(principal, config.principalPerMinute),
        tenantCounter(config.tenantPerMinute),
        ...matching.map((rule) => ruleCounter(rule, principal)),
      ].map((counter) => accountOf(counter, principal, rules)),
      targets: new Map(),
    }
    plans.set(principal, plan)
    return plan
  }

  function targetAccounts(plan: Plan, principal: Principal, target: LimitTarget) {
    const key = `${target.server}\n${target.method}\n${target.tool ?? ''}`
    const known = plan.targets.get(key)
    if (known !== undefined) return known
    const found = plan.rules.targeted
      .filter((rule) => matchesCaller(rule, principal) && matchesTarget(rule, target))
      .map((rule) => accountOf(ruleCounter(rule, principal, target), principal, plan.rules))
    setBounded(plan.targets, key, found, MAX_TARGETS)
    return found
  }

  /** One account for all tokens of a principal; a limit that was changed makes another. */
  function accountOf(made: Counter, principal: Principal, rules: RuleSet): Account {
    const key = `${principal.tenant}\n${made.limit}\n${made.key}`
    const counter = recall(counters, key, () => made)
    if (!counter.isShared) return recall(accounts, key, () => createAccount(counter))
    const member = { key: principal.key, weight: rules.weightOf(principal) }
    return recall(accounts, `${key}\n${member.weight}\n${member.key}`, () =>
      createAccount(counter, member),
    )
  }

  return {
    admit(ctx, principal, rules) {
      const { tenant, arriving } = planOf(principal, rules)
      return spend(ctx, tenant, arriving)
    },

    admitTarget(ctx, principal, rules, target, receipt) {
      if (rules.targeted.length === 0) return ADMITTED
      const plan = planOf(principal, rules)
      const found = targetAccounts(plan, principal, target)
      return found.length === 0 ? ADMITTED : spend(ctx, plan.tenant, found, receipt)
    },
  }
}

function recall<T>(map: Map<string, T>, key: string, make: () => T): T {
  const value = map.get(key) ?? make()
  setBounded(map, key, value, MAX_REMEMBERED)
  return value
}
