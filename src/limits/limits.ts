import { type CallContext, type Principal, setBounded, type TenantId } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import { type Account, createAccount, type Lease } from './account.ts'
import type { LeaseGrant, LeaseRequest } from './lease.ts'

/** Calls a minute. */
export interface LimitsConfig {
  readonly principalPerMinute: number
  readonly tenantPerMinute: number
}

export const DEFAULT_LIMITS: LimitsConfig = { principalPerMinute: 600, tenantPerMinute: 6_000 }

/** The tenant's `LimiterObject`, as far as an isolate needs it. */
export interface LimiterStub {
  /** One grant per request, in their order. */
  lease(requests: readonly LeaseRequest[]): Promise<readonly LeaseGrant[]>
}

export interface LimitsDeps {
  readonly config: LimitsConfig
  readonly events: Events
  /** The one object of this tenant. */
  object(tenant: TenantId): LimiterStub
}

export interface Limited {
  readonly kind: 'limited'
  /** At least 1. */
  readonly retryAfterSeconds: number
  readonly scope: 'tenant' | 'principal'
}

export interface Limits {
  /**
   * Spends one permit of the principal and one of its tenant. Both come from leases this isolate
   * holds; only without one is the object awaited, once for both. While the object cannot be
   * reached the isolate counts alone and says `limiter_unavailable`: limits must not stop service.
   */
  admit(
    ctx: Pick<CallContext, 'clock' | 'requestId' | 'waitUntil'>,
    principal: Principal,
  ): Promise<{ readonly kind: 'admitted' } | Limited>
}

/** Principals, and tenants, that an isolate remembers; the least recently used goes first. */
const MAX_REMEMBERED = 5_000

/** After a failed call the object is left alone this long, so that calls do not queue on it. */
const BACK_OFF_MS = 1_000

interface TenantState {
  readonly id: TenantId
  readonly account: Account
  unreachableUntil: number
}

type LimitsContext = Parameters<Limits['admit']>[0]

/** Creates the limits of one isolate. */
export function createLimits({ config, events, object }: LimitsDeps): Limits {
  const tenants = new Map<string, TenantState>()
  const principals = new Map<string, Account>()

  /** One question for several accounts. Undefined when the object cannot be reached. */
  async function ask<T>(
    ctx: LimitsContext,
    tenant: TenantState,
    accounts: readonly Account[],
    // Runs before anyone else can take what was granted.
    onSettled: (account: Account, now: number) => T,
  ): Promise<T[] | undefined> {
    const askedAt = ctx.clock.now()
    try {
      const requests = accounts.map((account) => account.request(askedAt))
      const grants = await object(tenant.id).lease(requests)
      const now = ctx.clock.now()
      return accounts.map((account, index) => {
        const grant = grants[index]
        if (grant === undefined) account.abandon()
        else account.settle(grant, askedAt, now)
        return onSettled(account, now)
      })
    } catch {
      for (const account of accounts) account.abandon()
      tenant.unreachableUntil = ctx.clock.now() + BACK_OFF_MS
      events.emit({ type: 'limiter_unavailable', requestId: ctx.requestId, tenant: tenant.id })
      return undefined
    }
  }

  async function acquire(
    ctx: LimitsContext,
    tenant: TenantState,
    accounts: readonly Account[],
  ): Promise<Limited | undefined> {
    const now = ctx.clock.now()
    const known = accounts.map((account) => ({ account, ms: account.refusedForMs(now) }))
    const refusal = longestWait(known)
    if (refusal !== undefined) return refusal
    if (tenant.unreachableUntil <= now) {
      const settled = await ask(ctx, tenant, accounts, (account, then) => {
        const lease = account.spend(then)
        return { account, lease, ms: lease ? 0 : Math.max(1, account.refusedForMs(then)) }
      })
      if (settled !== undefined) {
        const limited = longestWait(settled)
        if (limited !== undefined) putBack(settled.map(({ lease }) => lease))
        return limited
      }
    }
    const then = ctx.clock.now()
    const alone = accounts.map((account) => ({
      account,
      ms: account.spendAlone(then).retryAfterMs,
    }))
    return longestWait(alone)
  }

  return {
    async admit(ctx, principal) {
      const { tenant: id, key } = principal
      const tenant = recall(tenants, id, () => ({
        id,
        account: createAccount('tenant', 'tenant', config.tenantPerMinute),
        unreachableUntil: 0,
      }))
      const own = recall(principals, `${id}\n${key}`, () =>
        createAccount('principal', `principal:${key}`, config.principalPerMinute),
      )
      const now = ctx.clock.now()
      const accounts = [own, tenant.account]
      const leases = accounts.map((account) => account.spend(now))
      const lacking = accounts.filter((_account, index) => leases[index] === undefined)
      if (lacking.length > 0) {
        const limited = await acquire(ctx, tenant, lacking)
        if (limited !== undefined) putBack(leases)
        return limited ?? { kind: 'admitted' }
      }
      const low = accounts.filter((account) => account.isLow(now))
      if (low.length > 0 && tenant.unreachableUntil <= now) {
        ctx.waitUntil(ask(ctx, tenant, low, () => undefined))
      }
      return { kind: 'admitted' }
    },
  }
}

/** What keeps a call waiting; 0 ms when nothing does. */
interface Wait {
  readonly account: Account
  readonly ms: number
}

/** The refusal to report: the one that lasts longest; undefined when none waits. */
function longestWait(waits: readonly Wait[]): Limited | undefined {
  const [longest] = waits.filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms)
  if (longest === undefined) return undefined
  const retryAfterSeconds = Math.max(1, Math.ceil(longest.ms / 1000))
  return { kind: 'limited', retryAfterSeconds, scope: longest.account.scope }
}

/** Permits taken for a call that another limit refused. */
function putBack(leases: readonly (Lease | undefined)[]): void {
  for (const lease of leases) if (lease !== undefined) lease.permits += 1
}

function recall<T>(map: Map<string, T>, key: string, make: () => T): T {
  const value = map.get(key) ?? make()
  setBounded(map, key, value, MAX_REMEMBERED)
  return value
}
