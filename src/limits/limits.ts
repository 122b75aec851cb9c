import { type CallContext, type Principal, setBounded, type TenantId } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import { type Account, createAccount, type Lease } from './account.ts'
import { type Counter, principalCounter, ruleCounter, tenantCounter } from './counter.ts'
import type { LeaseGrant, LeaseRequest } from './lease.ts'
import type { CounterUse } from './ledger.ts'
import { type LimitTarget, matchesCaller, matchesTarget, type RuleSet } from './rule-set.ts'

/** Calls a minute. */
export interface LimitsConfig {
  readonly principalPerMinute: number
  readonly tenantPerMinute: number
}

export const DEFAULT_LIMITS: LimitsConfig = { principalPerMinute: 600, tenantPerMinute: 6_000 }

/** The tenant's `LimiterObject`. */
export interface LimiterStub {
  /** One grant per request, in their order. */
  lease(requests: readonly LeaseRequest[]): Promise<readonly LeaseGrant[]>
  /** What is used now, the fullest counters first. */
  usage(): Promise<readonly CounterUse[]>
}

export interface LimitsDeps {
  readonly config: LimitsConfig
  readonly events: Events
  /** The one object of this tenant. */
  object(tenant: TenantId): Pick<LimiterStub, 'lease'>
}

export interface Limited {
  readonly kind: 'limited'
  /** At least 1. */
  readonly retryAfterSeconds: number
  /** A limit of the deployment, or a rule of the tenant. */
  readonly scope: 'tenant' | 'principal' | 'rule'
  /** The rule's name. */
  readonly rule?: string
}

export type Admission = { readonly kind: 'admitted' } | Limited
export const ADMITTED: Admission = { kind: 'admitted' }

type LimitsContext = Pick<CallContext, 'clock' | 'requestId' | 'waitUntil' | 'rateLimit'>

/**
 * Spends one permit of everything that limits a call: all of them, or none. They come from leases
 * this isolate holds, and then the answer is there at once; only without one is the object awaited,
 * once for all. While the object cannot be reached the isolate counts alone and says
 * `limiter_unavailable`: limits must not stop service.
 */
export interface Limits {
  /** Of the principal, its tenant, and the rules about callers. */
  admit(ctx: LimitsContext, principal: Principal, rules: RuleSet): Admission | Promise<Admission>
  /** Of the rules about servers, tools and methods. */
  admitTarget(
    ctx: LimitsContext,
    principal: Principal,
    rules: RuleSet,
    target: LimitTarget,
  ): Admission | Promise<Admission>
}

/** Counters, accounts and tenants that an isolate remembers; the least recently planned goes first. */
const MAX_REMEMBERED = 5_000
/** Targets whose accounts are kept for a principal. */
const MAX_TARGETS = 200
/** After a failed call the object is left alone this long, so that calls do not queue on it. */
const BACK_OFF_MS = 1_000

/** What limits a principal, found once for as long as its token and the rules are the same. */
interface Plan {
  readonly rules: RuleSet
  readonly tenant: TenantState
  readonly arriving: readonly Account[]
  readonly targets: Map<string, readonly Account[]>
}

interface TenantState {
  readonly id: TenantId
  unreachableUntil: number
}

/** Creates the limits of one isolate. */
export function createLimits({ config, events, object }: LimitsDeps): Limits {
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
      tenant: recall(tenants, id, () => ({ id, unreachableUntil: 0 })),
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

  function spendAll(
    ctx: LimitsContext,
    tenant: TenantState,
    all: readonly Account[],
  ): Admission | Promise<Admission> {
    const now = ctx.clock.now()
    let isLow = false
    for (let index = 0; index < all.length; index += 1) {
      const account = all[index]
      if (account === undefined) break
      const lease = account.spend(now)
      if (lease === undefined) return spendSlowly(ctx, tenant, all, index, now)
      taken[index] = lease
      isLow ||= account.isLow(now)
    }
    if (isLow && tenant.unreachableUntil <= now) {
      const low = all.filter((account) => account.isLow(now))
      ctx.waitUntil(ask(ctx, tenant, low, () => undefined))
    }
    tell(ctx, all)
    return ADMITTED
  }
  /** Scratch of `spendAll`, which never waits: no allocation for a call that is admitted. */
  const taken: Lease[] = []

  /** From the account on that has no permit. */
  async function spendSlowly(
    ctx: LimitsContext,
    tenant: TenantState,
    all: readonly Account[],
    first: number,
    now: number,
  ): Promise<Admission> {
    const leases = all.map((account, index) => (index < first ? taken[index] : account.spend(now)))
    const lacking = all.filter((_account, index) => leases[index] === undefined)
    const limited = await acquire(ctx, tenant, lacking, all)
    if (limited === undefined) {
      tell(ctx, all)
      return ADMITTED
    }
    all.forEach((account, index) => {
      const lease = leases[index]
      if (lease !== undefined) account.putBack(lease)
    })
    const { account, ms } = limited
    const retryAfterSeconds = Math.max(1, Math.ceil(ms / 1000))
    const { scope, name, policy } = account.counter
    if (ctx.rateLimit) {
      Object.assign(ctx.rateLimit, { policy, state: account.describe(0, retryAfterSeconds) })
    }
    return { kind: 'limited', retryAfterSeconds, scope, ...(scope === 'rule' && { rule: name }) }
  }

  async function acquire(
    ctx: LimitsContext,
    tenant: TenantState,
    lacking: readonly Account[],
    all: readonly Account[],
  ): Promise<Wait | undefined> {
    const now = ctx.clock.now()
    const known = lacking.map((account) => ({ account, ms: account.refusedForMs(now) }))
    const refusal = longestWait(known)
    if (refusal !== undefined) return refusal
    if (tenant.unreachableUntil <= now) {
      // What is low is asked for with it: one call of the object instead of two.
      const low = all.filter((account) => !lacking.includes(account) && account.isLow(now))
      const settled = await ask(ctx, tenant, [...lacking, ...low], (account, then) => {
        if (low.includes(account)) return { account, lease: undefined, ms: 0 }
        const lease = account.spend(then)
        return { account, lease, ms: lease ? 0 : Math.max(1, account.refusedForMs(then)) }
      })
      if (settled !== undefined) {
        const limited = longestWait(settled)
        if (limited === undefined) return undefined
        for (const { account, lease } of settled) if (lease) account.putBack(lease)
        return limited
      }
    }
    const then = ctx.clock.now()
    return longestWait(
      lacking.map((account) => ({ account, ms: account.spendAlone(then).retryAfterMs })),
    )
  }

  /** One question for several accounts. Undefined when the object cannot be reached. */
  async function ask<T>(
    ctx: LimitsContext,
    tenant: TenantState,
    asking: readonly Account[],
    // Runs before anyone else can take what was granted.
    onSettled: (account: Account, now: number) => T,
  ): Promise<T[] | undefined> {
    const askedAt = ctx.clock.now()
    try {
      const requests = asking.map((account) => account.request(askedAt))
      const grants = await object(tenant.id).lease(requests)
      const now = ctx.clock.now()
      return asking.map((account, index) => {
        const grant = grants[index]
        if (grant === undefined) account.abandon()
        else account.settle(grant, askedAt, now)
        return onSettled(account, now)
      })
    } catch {
      for (const account of asking) account.abandon()
      tenant.unreachableUntil = ctx.clock.now() + BACK_OFF_MS
      events.emit({ type: 'limiter_unavailable', requestId: ctx.requestId, tenant: tenant.id })
      return undefined
    }
  }

  return {
    admit(ctx, principal, rules) {
      const { tenant, arriving } = planOf(principal, rules)
      return spendAll(ctx, tenant, arriving)
    },

    admitTarget(ctx, principal, rules, target) {
      if (rules.targeted.length === 0) return ADMITTED
      const plan = planOf(principal, rules)
      const found = targetAccounts(plan, principal, target)
      return found.length === 0 ? ADMITTED : spendAll(ctx, plan.tenant, found)
    },
  }
}

/** What keeps a call waiting; 0 ms when nothing does. */
interface Wait {
  readonly account: Account
  readonly ms: number
}

/** The refusal to report: the one that lasts longest; undefined when none waits. */
function longestWait(waits: readonly Wait[]): Wait | undefined {
  const [longest] = waits.filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms)
  return longest
}

/** Notes the account of which least is left, for the answer's headers. */
function tell({ rateLimit }: LimitsContext, all: readonly Account[]): void {
  if (rateLimit === undefined) return
  for (const account of all) {
    const left = account.left()
    if (rateLimit.left !== undefined && rateLimit.left <= left) continue
    rateLimit.left = left
    rateLimit.policy = account.counter.policy
    rateLimit.state = account.describe(left)
  }
}

function recall<T>(map: Map<string, T>, key: string, make: () => T): T {
  const value = map.get(key) ?? make()
  setBounded(map, key, value, MAX_REMEMBERED)
  return value
}
