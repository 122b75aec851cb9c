import { andThen, type CallContext, type MaybePromise, type Principal } from '../../core/index.ts'
import { type Limits, requireAdmission } from '../../limits/index.ts'
import type { Actor } from '../../policy/index.ts'
import type { Snapshots, TenantSnapshot } from '../../registry/index.ts'
import { type ResolvedEndpoint, resolveEndpoint } from '../shared/resolve.ts'

/** Who is at an endpoint, and what stands there for him. */
export interface Arrival {
  readonly actor: Actor
  readonly snapshot: TenantSnapshot
  readonly resolved: ResolvedEndpoint
}

/**
 * The stations that every client passes on its way to an endpoint: what its tenant knows, what it
 * may still spend, and what stands there. Throws `rate_limited`, `not_found`, `policy_unavailable`.
 */
export function arrive(
  ctx: CallContext,
  deps: { readonly snapshots: Snapshots; readonly limits: Limits },
  principal: Principal,
  path: string,
): MaybePromise<Arrival> {
  return andThen(deps.snapshots.tenant(ctx, principal.tenant), (snapshot) =>
    // Before the server is looked for: guessing names must not be free.
    andThen(requireAdmission(ctx, deps.limits, principal, snapshot.limits), () =>
      arriveIn(ctx, snapshot, principal, path),
    ),
  )
}

/** What stands there for this caller. Throws `not_found`, `policy_unavailable`. */
export function arriveIn(
  ctx: CallContext,
  snapshot: TenantSnapshot,
  principal: Principal,
  path: string,
): MaybePromise<Arrival> {
  const actor = { principal, rights: snapshot.rights(principal) }
  return andThen(resolveEndpoint(ctx, snapshot, actor, path), (resolved) => ({
    actor,
    snapshot,
    resolved,
  }))
}
