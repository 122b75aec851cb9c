import { sha256Hex } from './digest.ts'
import type { TenantId } from './ids.ts'

/** Who is calling, as proven by a credential that the gateway accepted. */
export interface Principal {
  readonly issuer: string
  readonly subject: string
  readonly kind: 'user' | 'service' | 'agent'
  /** From the credential alone, never from a URL or a header (DESIGN.md, Decision 7). */
  readonly tenant: TenantId
  readonly groups: readonly string[]
  /** OAuth scopes of the token (RFC 9068 section 2.2.3). */
  readonly scopes: readonly string[]
  /** Epoch ms. */
  readonly expiresAt: number
  /** Stable name for logs, limits and seals: issuer, `#`, and 16 hex digits of the subject's hash. */
  readonly key: string
  /** Other claims that configuration may refer to (`BOOTSTRAP_ADMIN`); never logged. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** The stable name of (issuer, subject); survives a token refresh, reveals no subject. */
export async function principalKey(issuer: string, subject: string): Promise<string> {
  return `${issuer}#${(await sha256Hex(`${issuer}\n${subject}`)).slice(0, 16)}`
}
