import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { base64Url, makeKey, sign } from './fake-idp.ts'
import { GATEWAY, ISSUER, key, OTHER, RESOURCE, reasonOf, refused, setup } from './world.ts'

const stranger = await makeKey()

describe('a valid token', () => {
  it('becomes a principal with groups, scopes and a stable key', async () => {
    const { call, claims, seconds } = setup()
    const principal = await call(
      await sign(key, claims({ groups: ['ops', 'ops', 7], scope: 'read  write' })),
    )
    expect(principal).toMatchObject({
      issuer: ISSUER,
      subject: 'alice',
      kind: 'user',
      tenant: 'default',
      groups: ['ops'],
      scopes: ['read', 'write'],
      expiresAt: (seconds + 300) * 1000,
    })
    expect(principal.key).toMatch(/^https:\/\/idp\.example\/realms\/acme#[0-9a-f]{16}$/)
    expect(principal.claims['sub']).toBe('alice')
  })

  it.each([
    ['the endpoint', RESOURCE.url],
    ['the gateway', GATEWAY],
    ['the gateway, with a slash', `${GATEWAY}/`],
    ['a list that names the endpoint', ['https://other.example', RESOURCE.url]],
  ])('is accepted when its audience is %s', async (_name, aud) => {
    const { call, claims } = setup()
    await expect(call(await sign(key, claims({ aud })))).resolves.toMatchObject({
      subject: 'alice',
    })
  })

  it("is accepted for one of its issuer's audiences", async () => {
    const { call, claims } = setup({ audiences: ['gateway-client'] })
    const principal = await call(await sign(key, claims({ aud: 'gateway-client' })))
    expect(principal.subject).toBe('alice')
  })

  it.each(['PS256', 'ES256', 'EdDSA'])('may be signed with %s', async (alg) => {
    const { call, claims, idp } = setup()
    const other = await makeKey(alg)
    idp.state.keys = [other.publicJwk]
    await expect(call(await sign(other, claims()))).resolves.toMatchObject({ subject: 'alice' })
  })

  it('may be a little early or late, as clocks differ by seconds', async () => {
    const { call, claims, seconds } = setup()
    await call(await sign(key, claims({ nbf: seconds + 4 })))
    await call(await sign(key, claims({ exp: seconds - 4 })))
  })
})

describe('a bad token', () => {
  const cases: [string, string, (given: ReturnType<typeof setup>) => Promise<string> | string][] = [
    [
      'with alg none',
      'algorithm',
      ({ claims }) => `${base64Url('{"alg":"none"}')}.${base64Url(JSON.stringify(claims()))}.`,
    ],
    [
      'signed with HS256 and the RSA public key as secret',
      'algorithm',
      ({ claims }) =>
        new SignJWT(claims())
          .setProtectedHeader({ alg: 'HS256', kid: key.kid })
          .sign(new TextEncoder().encode(key.publicPem)),
    ],
    [
      'signed by a stranger under a known kid',
      'signature',
      ({ claims }) => sign(stranger, claims(), { kid: key.kid }),
    ],
    ['with an unknown kid', 'unknown_key', ({ claims }) => sign(stranger, claims())],
    [
      'that has expired',
      'expired',
      ({ claims, seconds }) => sign(key, claims({ exp: seconds - 6 })),
    ],
    ['without exp', 'claims', ({ claims }) => sign(key, claims({ exp: undefined }))],
    ['without a subject', 'claims', ({ claims }) => sign(key, claims({ sub: undefined }))],
    ['with an empty subject', 'claims', ({ claims }) => sign(key, claims({ sub: '' }))],
    [
      'not valid yet',
      'not_yet_valid',
      ({ claims, seconds }) => sign(key, claims({ nbf: seconds + 6 })),
    ],
    [
      'issued in the future',
      'not_yet_valid',
      ({ claims, seconds }) => sign(key, claims({ iat: seconds + 61 })),
    ],
    [
      'of another issuer',
      'issuer',
      ({ claims }) => sign(key, claims({ iss: 'https://evil.example' })),
    ],
    [
      'whose issuer differs by a slash',
      'issuer',
      ({ claims }) => sign(key, claims({ iss: `${ISSUER}/` })),
    ],
    ['without an issuer', 'issuer', ({ claims }) => sign(key, claims({ iss: undefined }))],
    ['for another server', 'audience', ({ claims }) => sign(key, claims({ aud: OTHER.url }))],
    ['without an audience', 'audience', ({ claims }) => sign(key, claims({ aud: undefined }))],
    ['that is an ID token', 'token_type', ({ claims }) => sign(key, claims({ at_hash: 'x' }))],
    ['of another type', 'token_type', ({ claims }) => sign(key, claims(), { typ: 'logout+jwt' })],
    [
      'larger than 8 KiB',
      'malformed',
      ({ claims }) => sign(key, claims({ pad: 'x'.repeat(8_000) })),
    ],
    ['that is no JWT', 'malformed', () => 'gh_0123456789'],
    ['with five parts', 'malformed', () => 'a.b.c.d.e'],
    [
      'that names a claim twice',
      'malformed',
      ({ claims }) =>
        signRaw(JSON.stringify(claims()).replace('{', '{"aud":"https://other.example",')),
    ],
    [
      'that names a claim twice, once escaped',
      'malformed',
      ({ claims }) => signRaw(JSON.stringify(claims()).replace('{', '{"\\u0061ud":"x",')),
    ],
    [
      'that names a nested member twice',
      'malformed',
      ({ claims }) =>
        signRaw(
          JSON.stringify(claims()).replace('{', '{"realm_access":{"roles":[],"roles":["admin"]},'),
        ),
    ],
    [
      'that names a header twice',
      'malformed',
      ({ claims }) =>
        signRaw(JSON.stringify(claims()), `{"alg":"RS256","alg":"RS256","kid":"${key.kid}"}`),
    ],
    [
      'whose expiry is infinite',
      'claims',
      ({ claims }) => signRaw(JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e999')),
    ],
    [
      'with a critical header that is not understood',
      'malformed',
      ({ claims }) =>
        signRaw(JSON.stringify(claims()), `{"alg":"RS256","kid":"${key.kid}","crit":["x"],"x":1}`),
    ],
  ]

  it.each(cases)('%s is refused', async (_name, reason, make) => {
    const given = setup()
    const token = await make(given)
    const error = await refused(given.call(token))
    expect(error.detail.data).toEqual({ reason })
    expect(error.detail.headers?.['WWW-Authenticate']).toBe(
      `Bearer resource_metadata="${RESOURCE.metadataUrl()}", error="invalid_token", error_description="${error.message.replaceAll('"', '?')}"`,
    )
    const shown = JSON.stringify([error.message, error.detail])
    for (const part of token.split('.').filter((text) => text.length > 3)) {
      expect(shown).not.toContain(part)
    }
    // Never remembered as good either.
    expect(await reasonOf(given.call(token))).toBe(reason)
  })

  it('with an algorithm outside a narrower list of its issuer is refused', async () => {
    const { call, claims } = setup({ algorithms: ['ES256'] })
    expect(await reasonOf(call(await sign(key, claims())))).toBe('algorithm')
  })

  it('of an issuer whose tenant claim names no tenant is refused', async () => {
    const { call, claims } = setup({ tenantClaim: 'org' })
    expect(await reasonOf(call(await sign(key, claims({ org: 'Not A Tenant' }))))).toBe('tenant')
    expect(await reasonOf(call(await sign(key, claims())))).toBe('tenant')
    const principal = await call(await sign(key, claims({ org: 'acme' })))
    expect(principal.tenant).toBe('acme')
  })

  it('leaves the next good one unharmed', async () => {
    const { call, claims } = setup()
    await refused(call('x.y.z'))
    await expect(call(await sign(key, claims()))).resolves.toMatchObject({ subject: 'alice' })
  })
})

/** Signs JSON text as it stands, which no library would. */
async function signRaw(payload: string, header = `{"alg":"RS256","kid":"${key.kid}"}`) {
  const input = `${base64Url(header)}.${base64Url(payload)}`
  const signature = await crypto.subtle.sign(
    'RSASSA-PKCS1-v1_5',
    key.privateKey,
    new TextEncoder().encode(input),
  )
  return `${input}.${Buffer.from(signature).toString('base64url')}`
}
