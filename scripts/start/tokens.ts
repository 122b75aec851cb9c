import { randomUUID } from 'node:crypto'
import { TenantId } from '../../src/core/index.ts'
import { type SigningKeyJwk, signToken } from '../../src/identity/index.ts'

const DAY_SECONDS = 86_400

/** The two tokens of a local gateway: who they are is what the sample policy's groups say. */
export async function localTokens(
  publicUrl: string,
  signingKeyJwk: SigningKeyJwk,
): Promise<{ adminToken: string; userToken: string }> {
  const issue = (subject: string, group: string) =>
    signToken(
      { issuer: publicUrl, signingKeyJwk },
      {
        subject,
        audience: publicUrl,
        tenant: TenantId.parse('default'),
        groups: [group],
        scopes: [],
        kind: 'user',
        ttlSeconds: DAY_SECONDS,
        now: Date.now(),
        jti: randomUUID(),
      },
    )
  return {
    adminToken: await issue('admin', 'gatehouse-admins'),
    userToken: await issue('user', 'mcp-registry-user'),
  }
}
