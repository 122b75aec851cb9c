import type { Account, Lease } from './account.ts'
import {
  ADMITTED,
  type Admission,
  type HandBack,
  type Limited,
  type LimitsContext,
} from './admission.ts'
import type { Ask, TenantState } from './ask.ts'

/**
 * Spends one permit of each account, or none; a promise only where the object has to be asked. What
 * hands each permit back is added to `receipt`, for a call that may come to nothing.
 */
export type Spend = (
  ctx: LimitsContext,
  tenant: TenantState,
  all: readonly Account[],
  receipt?: HandBack[],
) => Admission | Promise<Admission>

/** @see Spend */
export function createSpend(ask: Ask): Spend {
  /** Scratch of `spend`, which never waits: no allocation for a call that is admitted. */
  const taken: Lease[] = []

  return function spend(ctx, tenant, all, receipt) {
    const now = ctx.clock.now()
    let isLow = false
    for (let index = 0; index < all.length; index += 1) {
      const account = all[index]
      if (account === undefined) break
      const lease = account.spend(now)
      if (lease === undefined) return spendSlowly(ctx, tenant, all, index, now, receipt)
      taken[index] = lease
      isLow ||= account.isLow(now)
    }
    if (isLow && tenant.unreachableUntil <= now) {
      const low = all.filter((account) => account.isLow(now))
      ctx.waitUntil(ask(ctx, tenant, low, () => undefined))
    }
    tell(ctx, all)
    receipt?.push(...backOf(all, taken))
    return ADMITTED
  }

  /** From the account on that has no permit. */
  async function spendSlowly(
    ctx: LimitsContext,
    tenant: TenantState,
    all: readonly Account[],
    first: number,
    now: number,
    receipt: HandBack[] | undefined,
  ): Promise<Admission> {
    const leases = all.map((account, index) => (index < first ? taken[index] : account.spend(now)))
    const lacking = all.filter((_account, index) => leases[index] === undefined)
    const spent = backOf(all, leases)
    const limited = await acquire(ctx, tenant, lacking, all, spent)
    if (limited === undefined) {
      tell(ctx, all)
      receipt?.push(...spent)
      return ADMITTED
    }
    for (const back of spent) back()
    return refusalOf(ctx, limited)
  }

  /** What is taken is added to `spent`, also when it is not enough. */
  async function acquire(
    ctx: LimitsContext,
    tenant: TenantState,
    lacking: readonly Account[],
    all: readonly Account[],
    spent: HandBack[],
  ): Promise<Wait | undefined> {
    const now = ctx.clock.now()
    const known = lacking.map((account) => ({ account, ms: account.refusedForMs(now) }))
    const refusal = longestWait(known)
    if (refusal !== undefined) return refusal
    if (tenant.unreachableUntil <= now) {
      // What is low is asked for with it: one call of the object instead of two.
      const low = all.filter((account) => !lacking.includes(account) && account.isLow(now))
      const settled = await ask(ctx, tenant, [...lacking, ...low], (account, then) => {
        if (low.includes(account)) return { account, ms: 0 }
        const lease = account.spend(then)
        if (lease === undefined) return { account, ms: Math.max(1, account.refusedForMs(then)) }
        spent.push(() => account.putBack(lease))
        return { account, ms: 0 }
      })
      if (settled !== undefined) return longestWait(settled)
    }
    const then = ctx.clock.now()
    const alone = lacking.map((account) => {
      const { granted, retryAfterMs } = account.spendAlone(then)
      if (granted > 0) spent.push(() => account.putBackAlone(then, ctx.clock.now()))
      return { account, ms: retryAfterMs }
    })
    return longestWait(alone)
  }
}

/** Of those accounts that gave a permit. */
function backOf(all: readonly Account[], leases: readonly (Lease | undefined)[]): HandBack[] {
  return all.flatMap((account, index) => {
    const lease = leases[index]
    return lease === undefined ? [] : [() => account.putBack(lease)]
  })
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

/** The refusal, which the answer's headers tell as well. */
function refusalOf({ rateLimit }: LimitsContext, { account, ms }: Wait): Limited {
  const retryAfterSeconds = Math.max(1, Math.ceil(ms / 1000))
  const { scope, name, policy, isOfServer, isShared } = account.counter
  if (rateLimit) Object.assign(rateLimit, { policy, state: account.describe(0, retryAfterSeconds) })
  const rule = { ...(scope === 'rule' && { rule: name }), ...(isOfServer && { isOfServer }) }
  return { kind: 'limited', retryAfterSeconds, scope, ...rule, ...(isShared && { isShared }) }
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
