import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOutbound, parsePrivateHosts } from '../../src/core/index.ts'
import { createIdentity, IssuerConfig } from '../../src/identity/index.ts'
import { DEFAULT_CLIENTS, type Idp, startIdp } from '../support/idp.ts'
import { testDeps } from './fake-idp.ts'

const GATEWAY = 'https://gateway.example'
const RESOURCE = { url: `${GATEWAY}/weather/mcp`, metadataUrl: () => `${GATEWAY}/metadata` }

let idp: Idp
beforeAll(async () => {
  idp = await startIdp({
    audience: GATEWAY,
    clients: {
      ...DEFAULT_CLIENTS,
      alice: {
        groups: ['/staff'],
        scopes: ['read', 'write'],
        claims: { preferred_username: 'alice' },
      },
      late: { groups: [], ttlSeconds: -60 },
    },
  })
})
afterAll(() => idp.stop())

function setup() {
  const deps = testDeps(Date.now())
  const identity = createIdentity({
    ...deps,
    publicUrl: GATEWAY,
    issuers: [IssuerConfig.parse({ preset: 'keycloak', issuer: idp.issuer })],
    outbound: createOutbound({ privateHosts: parsePrivateHosts('127.0.0.1,localhost') }),
  })
  const call = async (token: string) =>
    identity.authenticate(new Headers({ authorization: `Bearer ${token}` }), RESOURCE)
  return { ...deps, call }
}

describe('tokens of a running OpenID provider', () => {
  it('are RS256 access tokens that become principals', async () => {
    const { call } = setup()
    const token = await idp.token('admin-service')
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'RS256', typ: 'at+jwt' })
    expect(await call(token)).toMatchObject({
      issuer: idp.issuer,
      subject: 'admin-service',
      kind: 'service',
      groups: ['mcp-registry-admin'],
      scopes: [],
    })
  })

  it('carry the scopes that were asked for', async () => {
    const { call } = setup()
    expect(await call(await idp.token('alice'))).toMatchObject({
      kind: 'user',
      groups: ['staff'],
      scopes: ['read', 'write'],
    })
    const narrow = await call(await idp.token('alice', { scope: 'read' }))
    expect(narrow.scopes).toEqual(['read'])
  })

  it('are refused once expired', async () => {
    const { call } = setup()
    await expect(call(await idp.token('late'))).rejects.toMatchObject({
      code: 'unauthenticated',
      detail: { data: { reason: 'expired' } },
    })
  })

  it('are accepted under new keys, and no longer under the old ones', async () => {
    const { call, time } = setup()
    const old = await idp.token('user-service')
    await call(old)
    await idp.rotateKeys()
    time.now += 60_000
    await expect(call(await idp.token('user-service'))).resolves.toMatchObject({
      groups: ['mcp-registry-user'],
    })
    await expect(call(old)).rejects.toMatchObject({ detail: { data: { reason: 'unknown_key' } } })
  })

  it('are not issued to a client that it does not know', async () => {
    await expect(idp.token('nobody')).rejects.toThrow('no token for nobody: 401')
  })
})
