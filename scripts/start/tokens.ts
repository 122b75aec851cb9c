import { randomUUID } from 'node:crypto'
import { TenantId } from '../../src/core/index.ts'
import { type SigningKeyJwk, signToken } from '../../src/identity/index.ts'

const DAY_SECONDS = 86_400

/** Who a token of a local gateway is for: what its bearer may do is what the policy says of the group. */
export interface TokenHolder {
  readonly subject: string
  readonly group: string
  /** `default` when absent. */
  readonly tenant?: string
}

/** A token of the gateway's own issuer, for a day. */
export function localToken(
  publicUrl: string,
  signingKeyJwk: SigningKeyJwk,
  { subject, group, tenant = 'default' }: TokenHolder,
): Promise<string> {
  return signToken(
    { issuer: publicUrl, signingKeyJwk },
    {
      subject,
      audience: publicUrl,
      tenant: TenantId.parse(tenant),
      groups: [group],
      scopes: [],
      kind: 'user',
      ttlSeconds: DAY_SECONDS,
      now: Date.now(),
      jti: randomUUID(),
    },
  )
}

/** The two tokens of a local gateway: who they are is what the sample policy's groups say. */
export async function localTokens(
  publicUrl: string,
  signingKeyJwk: SigningKeyJwk,
): Promise<{ adminToken: string; userToken: string }> {
  const admin = { subject: 'admin', group: 'gatehouse-admins' }
  const user = { subject: 'user', group: 'mcp-registry-user' }
  return {
    adminToken: await localToken(publicUrl, signingKeyJwk, admin),
    userToken: await localToken(publicUrl, signingKeyJwk, user),
  }
}
