import type { Account, Lease } from './account.ts'
import { ADMITTED, type Admission, type Limited, type LimitsContext } from './admission.ts'
import type { Ask, TenantState } from './ask.ts'

/** Spends one permit of each account, or none; a promise only where the object has to be asked. */
export type Spend = (
  ctx: LimitsContext,
  tenant: TenantState,
  all: readonly Account[],
) => Admission | Promise<Admission>

/** @see Spend */
export function createSpend(ask: Ask): Spend {
  /** Scratch of `spend`, which never waits: no allocation for a call that is admitted. */
  const taken: Lease[] = []

  return function spend(ctx, tenant, all) {
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
    return refusalOf(ctx, limited)
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
  const { scope, name, policy } = account.counter
  if (rateLimit) Object.assign(rateLimit, { policy, state: account.describe(0, retryAfterSeconds) })
  return { kind: 'limited', retryAfterSeconds, scope, ...(scope === 'rule' && { rule: name }) }
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
