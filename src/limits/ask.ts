import type { TenantId } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import type { Account } from './account.ts'
import type { LimitsContext } from './admission.ts'
import type { LeaseGrant, LeaseRequest } from './lease.ts'

/** After a failed call the object is left alone this long, so that calls do not queue on it. */
const BACK_OFF_MS = 1_000

export interface TenantState {
  readonly id: TenantId
  unreachableUntil: number
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
  return async function ask(ctx, tenant, asking, onSettled) {
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
}
