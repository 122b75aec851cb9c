import type { CallContext } from '../../core/index.ts'
import { type Actor, canPermission, Permission } from '../../policy/index.ts'
import { type MeOut, toInstant } from '../views.ts'

/** Who the gateway takes the caller for, and what it may do; needs no permission. */
export function me(_ctx: CallContext, { principal, rights }: Actor): MeOut {
  const { issuer, subject, kind, tenant, key, groups } = principal
  return {
    ...{ issuer, subject, kind, tenant, key, groups },
    oauthScopes: principal.scopes,
    accessScopes: rights.scopes,
    permissions: Permission.options.filter((name) => canPermission({ principal, rights }, name)),
    expiresAt: toInstant(principal.expiresAt),
  }
}
