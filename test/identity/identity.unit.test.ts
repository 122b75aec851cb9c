import { afterEach, describe, expect, it, vi } from 'vitest'
import { createIdentity, IssuerConfig } from '../../src/identity/index.ts'
import { fakeIdp, makeKey, sign, testDeps } from './fake-idp.ts'
import { GATEWAY, ISSUER, key, OTHER, RESOURCE, reasonOf, refused, setup } from './world.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('where the token is', () => {
  it('asks for a token, without naming an error, when none was sent', async () => {
    const { authenticate } = setup()
    for (const headers of [new Headers(), new Headers({ authorization: 'Basic YTpi' })]) {
      const error = await refused(authenticate(headers))
      expect(error.message).toBe('No bearer token was sent.')
      expect(error.detail.headers).toEqual({
        'WWW-Authenticate': `Bearer resource_metadata="${RESOURCE.metadataUrl()}"`,
      })
    }
  })

  it('reads the scheme in any case', async () => {
    const { authenticate, claims } = setup()
    const token = await sign(key, claims())
    const headers = new Headers({ authorization: `bEaReR ${token}` })
    await expect(authenticate(headers)).resolves.toMatchObject({
      subject: 'alice',
    })
  })

  it('refuses a header with two tokens', async () => {
    const { authenticate, claims } = setup()
    const token = await sign(key, claims())
    const headers = new Headers({ authorization: `Bearer ${token}` })
    headers.append('authorization', `Bearer ${token}`)
    expect(await reasonOf(authenticate(headers))).toBe('malformed')
  })

  it('lets X-Authorization alone decide when it is present', async () => {
    const { authenticate, claims } = setup()
    const good = await sign(key, claims())
    const upstream = new Headers({
      authorization: 'Bearer for-the-upstream',
      'x-authorization': `Bearer ${good}`,
    })
    await expect(authenticate(upstream)).resolves.toMatchObject({
      subject: 'alice',
    })
    for (const bad of ['Bearer nonsense', 'Bearer', '', 'Basic YTpi']) {
      const headers = new Headers({ authorization: `Bearer ${good}`, 'x-authorization': bad })
      await refused(authenticate(headers))
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

  it('keeps a token once, however often it is spelt anew', async () => {
    const { authenticate, call, claims } = setup()
    const other = await sign(key, claims({ jti: 'other' }))
    await call(other)
    const token = await sign(key, claims())
    const verify = vi.spyOn(crypto.subtle, 'verify')
    for (let spaces = 1; spaces <= 2_001; spaces += 1) {
      const scheme = spaces % 2 === 0 ? 'bearer' : 'BEARER'
      const authorization = `${scheme}${' '.repeat(spaces)}${token}`
      await expect(authenticate(new Headers({ authorization }))).resolves.toMatchObject({
        subject: 'alice',
      })
    }
    await call(token)
    await call(other)
    expect(verify).toHaveBeenCalledTimes(1)
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
