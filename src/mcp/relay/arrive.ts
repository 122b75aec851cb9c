import type { CallContext, Principal } from '../../core/index.ts'
import { type Limits, requireAdmission } from '../../limits/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import { resolveEndpoint } from '../shared/resolve.ts'
import type { Arrival } from './listening.ts'

/**
 * The stations that every client passes on its way to an endpoint: what its tenant knows, what it
 * may still spend, and what stands there. Throws `rate_limited`, `not_found`, `policy_unavailable`.
 */
export async function arrive(
  ctx: CallContext,
  deps: { readonly snapshots: Snapshots; readonly limits: Limits },
  principal: Principal,
  path: string,
): Promise<Arrival> {
  const snapshot = await deps.snapshots.tenant(ctx, principal.tenant)
  // Before the server is looked for: guessing names must not be free.
  await requireAdmission(ctx, deps.limits, principal, snapshot.limits)
  const actor = { principal, rights: snapshot.rights(principal) }
  return { actor, snapshot, resolved: await resolveEndpoint(ctx, snapshot, actor, path) }
}
