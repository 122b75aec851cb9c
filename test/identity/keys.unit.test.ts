import { generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { createIssuerKeys } from '../../src/identity/keys.ts'
import { fakeIdp, makeKey, type TestKey, testDeps } from './fake-idp.ts'

const ISSUER = 'https://idp.example/realms/acme'
const DISCOVERY = `${ISSUER}/.well-known/openid-configuration`
const KEYS = `${ISSUER}/keys`
const FAILED = { type: 'key_refresh_failed', issuer: ISSUER, error: 'upstream_failed' }

const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
  format: 'jwk',
})

let first: TestKey
let second: TestKey
beforeAll(async () => {
  first = await makeKey('ES256')
  second = await makeKey('ES256')
})

function setup(over: { issuer?: string; jwksUri?: string } = {}) {
  const deps = testDeps()
  const idp = fakeIdp(ISSUER, [first])
  const keys = createIssuerKeys({ issuer: ISSUER, ...deps, outbound: idp.outbound, ...over })
  const find = async (key: TestKey) => (await keys.find({ alg: key.alg, kid: key.kid })).kind
  return { ...deps, idp, keys, find }
}

describe('finding the keys of an issuer', () => {
  it('reads the discovery document and the key set once', async () => {
    const { find, idp } = setup()
    expect([await find(first), await find(first)]).toEqual(['key', 'key'])
    expect(idp.asked).toEqual([DISCOVERY, KEYS])
  })

  it('skips discovery when the key set is configured', async () => {
    const { find, idp } = setup({ jwksUri: KEYS })
    expect(await find(first)).toBe('key')
    expect(idp.asked).toEqual([KEYS])
  })

  it('refuses a discovery document that names another issuer', async () => {
    const { find, idp, emitted } = setup()
    idp.state.discovery = { issuer: `${ISSUER}/`, jwks_uri: KEYS }
    expect(await find(first)).toBe('unavailable')
    expect(idp.asked).toEqual([DISCOVERY])
    expect(emitted).toEqual([FAILED])
  })

  it.each([
    ['a secret', { kty: 'oct', k: 'AAAA' }],
    ['an RSA key of 1,024 bits', weakRsa],
    ['no real point', { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }],
    ['meant for encryption', { use: 'enc' }],
  ])('never uses a key that is %s', async (_name, change) => {
    const { keys, idp } = setup()
    const { alg: _alg, ...bare } = first.publicJwk
    idp.state.keys = [{ ...bare, ...change }, second.publicJwk]
    for (const alg of ['RS256', 'ES256', 'HS256']) {
      expect((await keys.find({ alg, kid: first.kid })).kind).toBe('unknown')
    }
  })

  it('uses the only fitting key for a token that names none, and none of several', async () => {
    const { keys, idp, time } = setup()
    expect((await keys.find({ alg: 'ES256' })).kind).toBe('key')
    idp.state.keys = [first.publicJwk, second.publicJwk]
    time.now += 600_000
    expect((await keys.find({ alg: 'ES256' })).kind).toBe('unknown')
  })
})

describe('when an issuer rotates its keys', () => {
  it('accepts the new key after one more fetch', async () => {
    const { find, idp, time } = setup()
    await find(first)
    idp.state.keys = [second.publicJwk]
    time.now += 30_000
    expect(await find(second)).toBe('key')
    expect(await find(second)).toBe('key')
    expect(idp.asked).toEqual([DISCOVERY, KEYS, KEYS])
    expect(await find(first)).toBe('unknown')
  })

  it('accepts it right after the first fetch, and after another rotation', async () => {
    const { find, idp } = setup()
    await find(first)
    idp.state.keys = [second.publicJwk]
    expect(await find(second)).toBe('key')
    idp.state.keys = [first.publicJwk]
    expect(await find(first)).toBe('key')
    expect(idp.asked).toEqual([DISCOVERY, KEYS, KEYS, KEYS])
  })

  it('asks at most once in 30 seconds, whatever kids strangers send', async () => {
    const { keys, idp, time } = setup()
    const stranger = (kid: string) => keys.find({ alg: 'ES256', kid })
    expect((await stranger('a')).kind).toBe('unknown')
    const before = idp.asked.length
    time.now += 29_999
    expect((await stranger('b')).kind).toBe('unknown')
    expect(idp.asked.length).toBe(before)
    time.now += 1
    expect((await stranger('c')).kind).toBe('unknown')
    expect((await stranger('d')).kind).toBe('unknown')
    expect(idp.asked.length).toBe(before + 1)
  })

  it('serves calls that arrive together, each with its own fetch', async () => {
    const { find, idp, time } = setup()
    expect(await Promise.all([find(first), find(first)])).toEqual(['key', 'key'])
    idp.state.keys = [second.publicJwk]
    time.now += 30_000
    expect(await Promise.all([find(second), find(second), find(second)])).toEqual([
      'key',
      'key',
      'key',
    ])
  })

  it('bounds the fetches of a burst', async () => {
    const { keys, idp, time } = setup()
    await keys.find({ alg: 'ES256', kid: first.kid })
    time.now += 30_000
    await Promise.all(
      Array.from({ length: 100 }, (_, kid) => keys.find({ alg: 'ES256', kid: String(kid) })),
    )
    expect(idp.asked.length).toBe(2 + 16)
  })

  it('stops accepting a withdrawn key after ten minutes', async () => {
    const { find, idp, time } = setup()
    await find(first)
    idp.state.keys = [second.publicJwk]
    time.now += 599_999
    expect(await find(first)).toBe('key')
    time.now += 1
    expect(await find(first)).toBe('unknown')
  })
})

describe('when an issuer is down', () => {
  it('keeps known keys for an hour, refuses unseen ones, and says so in events', async () => {
    const { find, idp, time, emitted } = setup()
    await find(first)
    idp.state.isDown = true
    time.now += 30_000
    expect(await find(second)).toBe('unavailable')
    expect(await find(first)).toBe('key')
    expect(emitted).toEqual([FAILED])
    time.now += 3_569_999
    expect(await find(first)).toBe('key')
    time.now += 1
    expect(await find(first)).toBe('unavailable')
  })

  it('does not take an empty key set for a withdrawal', async () => {
    const { find, idp, time, emitted } = setup()
    await find(first)
    idp.state.keys = []
    time.now += 600_000
    expect(await find(first)).toBe('key')
    expect(emitted).toEqual([FAILED])
  })

  it('lets nobody in without any key, and tries again after five seconds', async () => {
    const { find, idp, time } = setup()
    idp.state.isDown = true
    expect(await find(first)).toBe('unavailable')
    expect(await find(first)).toBe('unavailable')
    expect(idp.asked).toEqual([DISCOVERY])
    idp.state.isDown = false
    time.now += 5_000
    expect(await find(first)).toBe('key')
  })

  it('finds keys that moved in the meantime', async () => {
    const { find, idp, time } = setup()
    await find(first)
    const moved = `${ISSUER}/moved`
    const { getJson } = idp.outbound
    idp.outbound.getJson = async (url, options) =>
      getJson(url === moved ? KEYS : url === KEYS ? 'gone' : url, options)
    idp.state.discovery = { issuer: ISSUER, jwks_uri: moved }
    idp.state.keys = [second.publicJwk]
    time.now += 30_000
    expect(await find(second)).toBe('unavailable')
    time.now += 30_000
    expect(await find(second)).toBe('key')
  })
})
