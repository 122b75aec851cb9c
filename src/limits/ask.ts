import type { TenantId } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import type { Account } from './account.ts'
import type { LimitsContext } from './admission.ts'
import type { LeaseGrant, LeaseRequest } from './lease.ts'

/** After a failed call the object is left alone this long, so that calls do not queue on it. */
const BACK_OFF_MS = 1_000

/** Of others, with each question. */
const MAX_HANDED_BACK = 20
/** Accounts of all tenants that are known to hold a lease; the one that was asked for longest ago out. */
const MAX_HOLDERS = 5_000

/** What an isolate knows of one tenant's object. */
export interface TenantState {
  readonly id: TenantId
  unreachableUntil: number
  /** Who holds a lease, the one that was asked for longest ago first. */
  readonly holders: Set<Account>
}

export interface AskDeps {
  readonly events: Events
  /** The one object of this tenant. */
  object(tenant: TenantId): {
    lease(requests: readonly LeaseRequest[]): Promise<readonly LeaseGrant[]>
  }
}

/**
 * One question to the tenant's object for several accounts. Undefined when it cannot be reached.
 * `onSettled` runs before anyone else can take what was granted.
 */
export type Ask = <T>(
  ctx: LimitsContext,
  tenant: TenantState,
  asking: readonly Account[],
  onSettled: (account: Account, now: number) => T,
) => Promise<T[] | undefined>

/** @see Ask */
export function createAsk({ events, object }: AskDeps): Ask {
  const tenantOf = new Map<Account, TenantState>()

  function hold(tenant: TenantState, account: Account, now: number): void {
    tenant.holders.delete(account)
    tenantOf.delete(account)
    if (account.heldUntil() <= now) return
    tenant.holders.add(account)
    tenantOf.set(account, tenant)
    const [oldest] = tenantOf
    if (tenantOf.size <= MAX_HOLDERS || oldest === undefined) return
    tenantOf.delete(oldest[0])
    oldest[1].holders.delete(oldest[0])
  }

  /** What lies expired in accounts whose callers do not come back: nobody else would return it. */
  function handedBack({ holders }: TenantState, now: number): LeaseRequest[] {
    const requests: LeaseRequest[] = []
    for (const account of holders) {
      if (requests.length === MAX_HANDED_BACK || account.heldUntil() > now) break
      holders.delete(account)
      tenantOf.delete(account)
      const request = account.handBack(now)
      if (request) requests.push(request)
    }
    return requests
  }

  return async function ask(ctx, tenant, asking, onSettled) {
    const askedAt = ctx.clock.now()
    try {
      const requests = asking.map((account) => account.request(askedAt))
      const grants = await object(tenant.id).lease([...requests, ...handedBack(tenant, askedAt)])
      const now = ctx.clock.now()
      return asking.map((account, index) => {
        const grant = grants[index]
        if (grant === undefined) account.abandon()
        else account.settle(grant, askedAt, now)
        hold(tenant, account, now)
        return onSettled(account, now)
      })
    } catch {
      for (const account of asking) account.abandon()
      tenant.unreachableUntil = ctx.clock.now() + BACK_OFF_MS
      events.emit({ type: 'limiter_unavailable', requestId: ctx.requestId, tenant: tenant.id })
      return undefined
    }
  }
}
