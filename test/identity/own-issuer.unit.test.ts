import { decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { TenantId } from '../../src/core/index.ts'
import {
  createIdentity,
  IssuerConfig,
  type OwnIssuer,
  SigningKeyJwk,
  signToken,
  type TokenClaims,
} from '../../src/identity/index.ts'
import { fakeIdp, testDeps } from './fake-idp.ts'

const GATEWAY = 'https://gateway.example'
const RESOURCE = { url: `${GATEWAY}/weather/mcp`, metadataUrl: () => `${GATEWAY}/metadata` }

async function makeOwn(): Promise<OwnIssuer> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return { issuer: GATEWAY, signingKeyJwk: SigningKeyJwk.parse(await exportJWK(privateKey)) }
}

let own: OwnIssuer
beforeAll(async () => {
  own = await makeOwn()
})

function setup() {
  const deps = testDeps()
  const idp = fakeIdp(GATEWAY, [])
  const identity = createIdentity({
    ...deps,
    publicUrl: GATEWAY,
    issuers: [],
    own,
    outbound: idp.outbound,
  })
  const claims: TokenClaims = {
    subject: 'alice',
    audience: GATEWAY,
    tenant: TenantId.parse('acme'),
    groups: ['ops'],
    scopes: ['read', 'write'],
    kind: 'agent',
    ttlSeconds: 60,
    now: deps.time.now,
    jti: 'id-1',
  }
  const call = async (token: string) =>
    identity.authenticate(new Headers({ authorization: `Bearer ${token}` }), RESOURCE)
  return { ...deps, idp, identity, claims, call }
}

describe("the gateway's own issuer", () => {
  it('verifies what it signed, without a fetch', async () => {
    const { call, claims, idp, time } = setup()
    expect(await call(await signToken(own, claims))).toMatchObject({
      issuer: GATEWAY,
      subject: 'alice',
      tenant: 'acme',
      groups: ['ops'],
      scopes: ['read', 'write'],
      kind: 'agent',
      expiresAt: time.now + 60_000,
      claims: { jti: 'id-1', iat: time.now / 1000, nbf: time.now / 1000 },
    })
    expect(idp.asked).toEqual([])
  })

  it('publishes the key that its tokens name, and no private part', async () => {
    const { identity, claims } = setup()
    const { keys } = await identity.jwks()
    const { kid, alg, typ } = decodeProtectedHeader(await signToken(own, claims))
    expect({ alg, typ }).toEqual({ alg: 'ES256', typ: 'at+jwt' })
    const { x, y } = own.signingKeyJwk
    expect(keys).toEqual([{ kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' }])
  })

  it('refuses an expired token', async () => {
    const { call, claims, time } = setup()
    const token = await signToken(own, claims)
    time.now += 65_000
    await expect(call(token)).rejects.toMatchObject({
      code: 'unauthenticated',
      message: 'The token has expired.',
    })
  })

  it('refuses a token of its name from another key', async () => {
    const { call, claims } = setup()
    const token = await signToken(await makeOwn(), claims)
    await expect(call(token)).rejects.toMatchObject({ detail: { data: { reason: 'unknown_key' } } })
  })

  it('refuses what it signed for another use', async () => {
    const { call, claims } = setup()
    const { kid = '' } = decodeProtectedHeader(await signToken(own, claims))
    const key = await crypto.subtle.importKey(
      'jwk',
      own.signingKeyJwk,
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['sign'],
    )
    const token = await new SignJWT({ tenant: 'acme' })
      .setProtectedHeader({ alg: 'ES256', kid, typ: 'JWT' })
      .setIssuer(GATEWAY)
      .setSubject('alice')
      .setAudience(GATEWAY)
      .setExpirationTime(claims.now / 1000 + 60)
      .sign(key)
    await expect(call(token)).rejects.toMatchObject({ detail: { data: { reason: 'token_type' } } })
  })

  it('cannot share its name with a configured issuer', () => {
    const deps = testDeps()
    const issuers = [IssuerConfig.parse({ preset: 'oidc', issuer: GATEWAY })]
    const { outbound } = fakeIdp(GATEWAY, [])
    expect(() => createIdentity({ ...deps, publicUrl: GATEWAY, issuers, own, outbound })).toThrow(
      `The issuer "${GATEWAY}" is configured twice.`,
    )
  })
})
