import { calculateJwkThumbprint, importJWK, SignJWT } from 'jose'
import { z } from 'zod'
import type { Principal, TenantId } from '../core/index.ts'
import type { KeySource } from './keys.ts'

/** A private P-256 key as JWK (RFC 7518 section 6.2). Other members are dropped. */
export const SigningKeyJwk = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.base64url().min(1),
  y: z.base64url().min(1),
  d: z.base64url().min(1),
})
export type SigningKeyJwk = z.infer<typeof SigningKeyJwk>

/** The gateway as an issuer of tokens for itself. */
export interface OwnIssuer {
  /** The `iss` of its tokens. */
  readonly issuer: string
  readonly signingKeyJwk: SigningKeyJwk
}

/** What a token of the gateway says. */
export interface TokenClaims {
  readonly subject: string
  /** The endpoint's URL, or the gateway's origin for all of it. */
  readonly audience: string
  readonly tenant: TenantId
  readonly groups: readonly string[]
  readonly scopes: readonly string[]
  readonly kind: Principal['kind']
  readonly ttlSeconds: number
  /** Epoch ms. */
  readonly now: number
  readonly jti: string
}

/** An ES256 access token of the gateway's own issuer (RFC 9068). */
export async function signToken(own: OwnIssuer, claims: TokenClaims): Promise<string> {
  const { kid } = await publicJwk(own.signingKeyJwk)
  const issuedAt = Math.floor(claims.now / 1000)
  return new SignJWT({
    tenant: claims.tenant,
    groups: [...claims.groups],
    scope: claims.scopes.join(' '),
    kind: claims.kind,
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
    .setIssuer(own.issuer)
    .setSubject(claims.subject)
    .setAudience(claims.audience)
    .setIssuedAt(issuedAt)
    .setNotBefore(issuedAt)
    .setExpirationTime(issuedAt + claims.ttlSeconds)
    .setJti(claims.jti)
    .sign(await importJWK(own.signingKeyJwk, 'ES256'))
}

/** A public key as the JWKS document shows it (RFC 7517 section 5). */
interface PublicJwk {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
  /** The key's RFC 7638 thumbprint. */
  readonly kid: string
  readonly alg: 'ES256'
  readonly use: 'sig'
}

/** The own issuer's keys: for verifying without a fetch, and as the published document. */
export interface OwnKeys extends KeySource {
  jwks(): Promise<{ keys: object[] }>
}

/** @see OwnKeys */
export function createOwnKeys(own: OwnIssuer): OwnKeys {
  let settled: { readonly jwk: PublicJwk; readonly key: CryptoKey } | undefined

  async function current() {
    if (settled) return settled
    const jwk = await publicJwk(own.signingKeyJwk)
    const { kty, crv, x, y } = jwk
    const key = await crypto.subtle.importKey(
      'jwk',
      { kty, crv, x, y },
      { name: 'ECDSA', namedCurve: crv },
      false,
      ['verify'],
    )
    settled = { jwk, key }
    return settled
  }

  return {
    async find({ kid }) {
      const { jwk, key } = await current()
      return kid === jwk.kid ? { kind: 'key', key } : { kind: 'unknown' }
    },
    async jwks() {
      return { keys: [(await current()).jwk] }
    },
  }
}

/** Built member by member, so that no private member can come along. */
async function publicJwk({ kty, crv, x, y }: SigningKeyJwk): Promise<PublicJwk> {
  const kid = await calculateJwkThumbprint({ kty, crv, x, y })
  return { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' }
}
