import { describe, expect, it } from 'vitest'
import { principalFrom } from '../../src/identity/claims.ts'
import { IssuerConfig, issuerRules } from '../../src/identity/issuers.ts'

const ISSUER = 'https://idp.example/realms/acme'
const principal = (config: object, claims: object) =>
  principalFrom(issuerRules(IssuerConfig.parse({ preset: 'oidc', issuer: ISSUER, ...config })), {
    sub: 'subject',
    exp: 1_800_000_000,
    ...claims,
  })

describe('the keycloak preset', () => {
  const keycloak = { preset: 'keycloak' }

  it('reads groups, realm roles and scopes', async () => {
    expect(
      await principal(keycloak, {
        groups: ['/admins', 'staff', '/a/b'],
        realm_access: { roles: ['admins', 'offline_access'] },
        scope: 'openid tools',
        preferred_username: 'alice',
      }),
    ).toMatchObject({
      subject: 'subject',
      kind: 'user',
      groups: ['admins', 'staff', 'a/b', 'offline_access'],
      scopes: ['openid', 'tools'],
      expiresAt: 1_800_000_000_000,
    })
  })

  it('tells a service account by its name', async () => {
    const claims = { preferred_username: 'service-account-agent' }
    expect(await principal(keycloak, claims)).toMatchObject({ kind: 'service', groups: [] })
  })

  it.each([
    [undefined, true],
    ['Bearer', true],
    ['ID', false],
    ['Refresh', false],
    [7, false],
  ])('takes a payload of type %s for an access token: %s', (typ, isAccess) => {
    const rules = issuerRules(IssuerConfig.parse({ ...keycloak, issuer: ISSUER }))
    expect(rules.isAccessToken('JWT', typ === undefined ? {} : { typ })).toBe(isAccess)
  })
})

describe('the oidc preset', () => {
  it('tells a client that acts for itself', async () => {
    expect(await principal({}, { sub: 'robot', client_id: 'robot' })).toMatchObject({
      kind: 'service',
    })
    expect(await principal({}, { client_id: 'app' })).toMatchObject({ kind: 'user' })
  })

  it.each([
    ['a claim with dots in its name', { 'https://acme.example/groups': ['ops'] }, ['ops']],
    ['a path of members', { https: 1, resource: { roles: ['dev'] } }, ['dev']],
    ['one group as text', { groups: 'solo' }, ['solo']],
    ['nothing useful', { groups: { a: 1 }, resource: { roles: [null, 1, ''] } }, []],
    ['what objects inherit', { resource: 'text' }, []],
  ])('reads groups from %s', async (_name, claims, groups) => {
    const groupsClaims = [
      'groups',
      'https://acme.example/groups',
      'resource.roles',
      'constructor.name',
      'resource.length',
    ]
    expect((await principal({ groupsClaims }, claims))?.groups).toEqual(groups)
  })

  it('reads scopes from another claim, as a list', async () => {
    const found = await principal({ scopesClaim: 'scp' }, { scp: ['a', 'b', 3], scope: 'c' })
    expect(found?.scopes).toEqual(['a', 'b'])
  })

  it('takes the tenant from configuration or a claim, never from another place', async () => {
    expect((await principal({}, { tenant: 'evil' }))?.tenant).toBe('default')
    expect((await principal({ tenant: 'acme' }, { tenant: 'evil' }))?.tenant).toBe('acme')
    expect((await principal({ tenantClaim: 'org.id' }, { org: { id: 'beta' } }))?.tenant).toBe(
      'beta',
    )
    expect(await principal({ tenantClaim: 'org' }, {})).toBeUndefined()
    expect(await principal({ tenantClaim: 'org' }, { org: 'A/B' })).toBeUndefined()
  })
})

describe('the configuration of an issuer', () => {
  it.each([
    ['an unknown member', { colour: 'red' }],
    ['an unknown preset', { preset: 'gatehouse' }],
    ['a symmetric algorithm', { algorithms: ['HS256'] }],
    ['no algorithm at all', { algorithms: [] }],
    ['alg none', { algorithms: ['none'] }],
    ['an issuer that is no URL', { issuer: 'idp.example' }],
    ['an issuer of another scheme', { issuer: 'file:///etc/passwd' }],
    ['an issuer with a query', { issuer: `${ISSUER}?a=b` }],
    ['an issuer with credentials', { issuer: 'https://a:b@idp.example' }],
    ['a tenant that is none', { tenant: 'Not A Tenant' }],
    ['both a tenant and a tenant claim', { tenant: 'acme', tenantClaim: 'org' }],
    ['a key set that is no URL', { jwksUri: '/keys' }],
  ])('refuses %s', (_name, change) => {
    const config = { preset: 'oidc', issuer: ISSUER, ...change }
    expect(IssuerConfig.safeParse(config).success).toBe(false)
  })

  it('keeps the issuer as it was written', () => {
    const issuer = 'https://IDP.example:443/realms/../acme/'
    expect(IssuerConfig.parse({ preset: 'oidc', issuer }).issuer).toBe(issuer)
  })
})
