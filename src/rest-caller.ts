import type { CallContext } from './core/index.ts'
import type { Deps } from './deps.ts'
import { resourceMetadataUrl } from './identity/index.ts'
import { requireAdmission } from './limits/index.ts'
import type { Actor } from './policy/index.ts'

/** Who manages, and what the tenant's policy lets them do. */
export async function actorOf(
  { config, identity, limits, registry }: Deps,
  call: CallContext,
  headers: Headers,
  url = `${config.publicUrl}/api/v1`,
): Promise<Actor> {
  const principal = await identity.authenticate(headers, {
    url,
    metadataUrl: () => resourceMetadataUrl(config.publicUrl),
  })
  call.facts.principal = principal.key
  call.facts.tenant = principal.tenant
  const { limits: rules } = await registry.snapshots.tenant(call, principal.tenant)
  await requireAdmission(call, limits, principal, rules)
  return registry.snapshots.actor(call, principal)
}
