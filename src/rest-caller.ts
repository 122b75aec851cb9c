import type { CallContext } from './core/index.ts'
import type { Deps } from './deps.ts'
import { resourceMetadataUrl } from './identity/index.ts'
import { NO_RULES, requireAdmission } from './limits/index.ts'
import type { Actor } from './policy/index.ts'

/** Where rules are edited no rule holds, only the deployment's limits: one rule could lock all out. */
const LIMIT_ROUTES = /^https?:\/\/[^/]*\/api\/v1\/limits(?:[/?]|$)/

/** Who manages, and what the tenant's policy lets them do. */
export async function actorOf(
  { config, identity, limits, registry }: Deps,
  call: CallContext,
  request: Request,
  url = `${config.publicUrl}/api/v1`,
): Promise<Actor> {
  const principal = await identity.authenticate(request.headers, {
    url,
    metadataUrl: () => resourceMetadataUrl(config.publicUrl),
  })
  call.facts.principal = principal.key
  call.facts.tenant = principal.tenant
  const snapshot = await registry.snapshots.tenant(call, principal.tenant)
  const rules = LIMIT_ROUTES.test(request.url) ? NO_RULES : snapshot.limits
  await requireAdmission(call, limits, principal, rules)
  return registry.snapshots.actor(call, principal)
}
