import { isPlainObject, type Principal, principalKey, TenantId } from '../core/index.ts'
import type { Claims, IssuerRules } from './issuers.ts'

/** The claims every accepted token has, checked by `verify.ts`. */
export interface VerifiedClaims extends Claims {
  readonly sub: string
  /** Seconds since the epoch. */
  readonly exp: number
}

/**
 * Who a verified token speaks for, by its issuer's rules.
 * Undefined when the claim that must name the tenant does not.
 */
export async function principalFrom(
  rules: IssuerRules,
  claims: VerifiedClaims,
): Promise<Principal | undefined> {
  const tenant = tenantOf(rules, claims)
  if (tenant === undefined) return undefined
  return {
    issuer: rules.issuer,
    subject: claims.sub,
    kind: rules.kind(claims),
    tenant,
    groups: groupsOf(rules, claims),
    scopes: scopesOf(claimAt(claims, rules.scopesClaim)),
    expiresAt: claims.exp * 1000,
    key: await principalKey(rules.issuer, claims.sub),
    claims,
  }
}

function tenantOf(rules: IssuerRules, claims: Claims): TenantId | undefined {
  if (rules.tenant.kind === 'fixed') return rules.tenant.tenant
  return TenantId.safeParse(claimAt(claims, rules.tenant.claim)).data
}

function groupsOf(rules: IssuerRules, claims: Claims): string[] {
  const names = rules.groupsClaims
    .flatMap((claim) => claimAt(claims, claim))
    .filter((group) => typeof group === 'string')
    .map(rules.groupName)
    .filter((group) => group !== '')
  return [...new Set(names)]
}

function scopesOf(claim: unknown): string[] {
  const listed = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : []
  const scopes = listed.filter((scope) => typeof scope === 'string' && scope !== '')
  return [...new Set<string>(scopes)]
}

/** A claim by its whole name (`https://acme.example/groups`), else by its path of members. */
function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const step of path.split('.')) {
    if (!isPlainObject(value) || !Object.hasOwn(value, step)) return undefined
    value = value[step]
  }
  return value
}
