import { z } from 'zod'
import type { Principal } from '../core/index.ts'
import { scopeNamed } from './rights.ts'
import { isEverything, type PolicyDocument } from './scopes.ts'

const text = z.string().min(1).max(512)
const breakGlass = z.boolean().exactOptional()

/**
 * `BOOTSTRAP_ADMIN`: one subject of one issuer, or everyone there with a claim. `breakGlass` keeps
 * it valid for ever; otherwise it ends once a group is mapped to a scope with `manage_policy` on all.
 */
export const BootstrapAdmin = z.union([
  z.strictObject({ issuer: text, subject: text, breakGlass }),
  z.strictObject({
    issuer: text,
    claim: z.strictObject({ name: text, value: text }),
    breakGlass,
  }),
])
export type BootstrapAdmin = z.infer<typeof BootstrapAdmin>

/** Whether the principal is the first administrator and still needed as such. Log every use. */
export function isBootstrapAdmin(
  principal: Principal,
  config: BootstrapAdmin | undefined,
  document: PolicyDocument,
): boolean {
  if (config === undefined || principal.issuer !== config.issuer) return false
  const matches =
    'subject' in config
      ? principal.subject === config.subject
      : hasClaim(principal, config.claim.name, config.claim.value)
  return matches && (config.breakGlass === true || !hasAdministrators(document))
}

function hasClaim(principal: Principal, name: string, value: string): boolean {
  const claim = Object.hasOwn(principal.claims, name) ? principal.claims[name] : undefined
  return Array.isArray(claim) ? claim.includes(value) : claim === value
}

function hasAdministrators(document: PolicyDocument): boolean {
  return Object.values(document.groupMappings)
    .flat()
    .some((name) => scopeNamed(document, name)?.permissions.manage_policy?.some(isEverything))
}
