import { type JWTPayload, SignJWT } from 'jose'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../../src/core/index.ts'
import { createIdentity, IssuerConfig } from '../../src/identity/index.ts'
import { base64Url, fakeIdp, makeKey, sign, type TestKey, testDeps } from './fake-idp.ts'

const ISSUER = 'https://idp.example/realms/acme'
const GATEWAY = 'https://gateway.example'
const RESOURCE = {
  url: `${GATEWAY}/weather/mcp`,
  metadataUrl: () => `${GATEWAY}/.well-known/oauth-protected-resource/weather/mcp`,
}
const OTHER = { ...RESOURCE, url: `${GATEWAY}/finance/mcp` }

let key: TestKey
let stranger: TestKey
beforeAll(async () => {
  key = await makeKey()
  stranger = await makeKey()
})
afterEach(() => {
  vi.restoreAllMocks()
})

function setup(config: Partial<IssuerConfig> = {}) {
  const deps = testDeps()
  const idp = fakeIdp(ISSUER, [key])
  const issuers = [IssuerConfig.parse({ preset: 'oidc', issuer: ISSUER, ...config })]
  const identity = createIdentity({
    ...deps,
    publicUrl: GATEWAY,
    issuers,
    outbound: idp.outbound,
  })
  const seconds = Math.floor(deps.time.now / 1000)
  const claims = (over: Record<string, unknown> = {}): JWTPayload => ({
    iss: ISSUER,
    sub: 'alice',
    aud: RESOURCE.url,
    iat: seconds,
    exp: seconds + 300,
    ...over,
  })
  const call = (token: string, resource = RESOURCE) =>
    identity.authenticate(new Headers({ authorization: `Bearer ${token}` }), resource)
  return { ...deps, idp, identity, claims, call, seconds }
}

async function refused(work: Promise<unknown>): Promise<GatewayError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(thrown instanceof GatewayError)) throw new Error('was not refused')
  expect(thrown.code).toBe('unauthenticated')
  return thrown
}

const reasonOf = async (work: Promise<unknown>) => (await refused(work)).detail.data?.['reason']

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

describe('where the token is', () => {
  it('asks for a token, without naming an error, when none was sent', async () => {
    const { identity } = setup()
    for (const headers of [new Headers(), new Headers({ authorization: 'Basic YTpi' })]) {
      const error = await refused(identity.authenticate(headers, RESOURCE))
      expect(error.message).toBe('No bearer token was sent.')
      expect(error.detail.headers).toEqual({
        'WWW-Authenticate': `Bearer resource_metadata="${RESOURCE.metadataUrl()}"`,
      })
    }
  })

  it('reads the scheme in any case', async () => {
    const { identity, claims } = setup()
    const token = await sign(key, claims())
    const headers = new Headers({ authorization: `bEaReR ${token}` })
    await expect(identity.authenticate(headers, RESOURCE)).resolves.toMatchObject({
      subject: 'alice',
    })
  })

  it('refuses a header with two tokens', async () => {
    const { identity, claims } = setup()
    const token = await sign(key, claims())
    const headers = new Headers({ authorization: `Bearer ${token}` })
    headers.append('authorization', `Bearer ${token}`)
    expect(await reasonOf(identity.authenticate(headers, RESOURCE))).toBe('malformed')
  })

  it('lets X-Authorization alone decide when it is present', async () => {
    const { identity, claims } = setup()
    const good = await sign(key, claims())
    const upstream = new Headers({
      authorization: 'Bearer for-the-upstream',
      'x-authorization': `Bearer ${good}`,
    })
    await expect(identity.authenticate(upstream, RESOURCE)).resolves.toMatchObject({
      subject: 'alice',
    })
    for (const bad of ['Bearer nonsense', 'Bearer', '', 'Basic YTpi']) {
      const headers = new Headers({ authorization: `Bearer ${good}`, 'x-authorization': bad })
      await refused(identity.authenticate(headers, RESOURCE))
    }
  })
})

describe('the cache of verified tokens', () => {
  it('verifies a token once for a hundred calls', async () => {
    const { call, claims, idp } = setup()
    const token = await sign(key, claims())
    const verify = vi.spyOn(crypto.subtle, 'verify')
    for (let count = 0; count < 100; count += 1) await call(token)
    expect(verify).toHaveBeenCalledTimes(1)
    expect(idp.asked).toEqual([`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/keys`])
  })

  it('verifies again after 60 seconds', async () => {
    const { call, claims, time } = setup()
    const token = await sign(key, claims())
    const verify = vi.spyOn(crypto.subtle, 'verify')
    await call(token)
    time.now += 59_999
    await call(token)
    expect(verify).toHaveBeenCalledTimes(1)
    time.now += 1
    await call(token)
    expect(verify).toHaveBeenCalledTimes(2)
  })

  it('forgets a token when it expires', async () => {
    const { call, claims, time, seconds } = setup()
    const token = await sign(key, claims({ exp: seconds + 10 }))
    await call(token)
    time.now += 15_000
    expect(await reasonOf(call(token))).toBe('expired')
  })

  it('checks the audience on every call', async () => {
    const { call, claims } = setup()
    const token = await sign(key, claims())
    await call(token)
    expect(await reasonOf(call(token, OTHER))).toBe('audience')
    await expect(call(token)).resolves.toMatchObject({ subject: 'alice' })
  })

  it('drops the oldest of more than 2,000 tokens', async () => {
    const ec = await makeKey('ES256')
    const { call, claims, idp } = setup()
    idp.state.keys = [ec.publicJwk]
    const first = await sign(ec, claims())
    const second = await sign(ec, claims({ jti: 'second' }))
    await call(first)
    await call(second)
    for (let count = 0; count < 1_999; count += 1) {
      await call(await sign(ec, claims({ jti: String(count) })))
    }
    const verify = vi.spyOn(crypto.subtle, 'verify')
    await call(second)
    expect(verify).toHaveBeenCalledTimes(0)
    await call(first)
    expect(verify).toHaveBeenCalledTimes(1)
  })
})

describe('configuration', () => {
  it('refuses an issuer that is named twice', () => {
    const deps = testDeps()
    const issuer = IssuerConfig.parse({ preset: 'oidc', issuer: ISSUER })
    const { outbound } = fakeIdp(ISSUER, [])
    expect(() =>
      createIdentity({ ...deps, publicUrl: GATEWAY, issuers: [issuer, issuer], outbound }),
    ).toThrow(`The issuer "${ISSUER}" is configured twice.`)
  })

  it('publishes an empty key set without an own issuer', async () => {
    expect(await setup().identity.jwks()).toEqual({ keys: [] })
  })
})
