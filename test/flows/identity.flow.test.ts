import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, PUBLIC_URL, rest, type TestGateway } from '../support/gateway.ts'
import { call, looksOf, REQUEST_ID, SHOP_TOOLS, setUp } from '../support/shop.ts'

const upstream = createFakeUpstream(SHOP_TOOLS)

describe('who is calling', () => {
  let gateway: TestGateway
  let admin: string
  let clerk: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher: upstream.fetcher } })
    admin = await gateway.token()
    await setUp(gateway, admin)
    clerk = await gateway.token({ subject: 'cleo', groups: ['clerks'] })
  })

  beforeEach(() => {
    upstream.seen.length = 0
  })

  const shop = (init: RequestInit) => gateway.fetch('/shop/mcp', init)

  it('believes no header about who is calling (ATTACKS 14)', async () => {
    const claims = {
      'x-user': 'root',
      'x-groups': 'admin',
      'x-scopes': 'admin',
      'x-mcp-authorized': 'true',
      'x-internal-token': 'x',
      'x-gateway-secret': 'x',
      'mcp-init-host': 'shop.example',
      'router-key': 'x',
      'x-forwarded-user': 'root',
      'x-original-url': '/hidden/mcp',
      'cf-access-authenticated-user-email': 'root@example.com',
    }
    const denied = await looksOf(await shop(call(clerk, 'drop_table')), 'drop_table')
    expect(await looksOf(await shop(call(clerk, 'drop_table', claims)), 'drop_table')).toEqual(
      denied,
    )
    const anonymous = call(clerk, 'list_items', claims)
    const { authorization: _token, ...headers } = anonymous.headers as Record<string, string>
    expect((await shop({ ...anonymous, headers })).status).toBe(401)
    expect(upstream.seen).toEqual([])
  })

  it('goes by X-Authorization alone when it is there', async () => {
    const weaker = call(admin, 'drop_table', { 'x-authorization': `Bearer ${clerk}` })
    expect(await (await shop(weaker)).json()).toMatchObject({
      error: { data: { code: 'unknown_tool' } },
    })
    const stronger = call(clerk, 'drop_table', { 'x-authorization': `Bearer ${admin}` })
    expect(await (await shop(stronger)).text()).toContain('ran drop_table')
    for (const bad of ['', 'Bearer', 'Bearer x.y.z', 'Basic YTpi', admin]) {
      const response = await shop(call(admin, 'list_items', { 'x-authorization': bad }))
      expect(response.status, bad).toBe(401)
    }
  })

  describe('a request that proves nothing', () => {
    const metadata = (path: string) =>
      `resource_metadata="${PUBLIC_URL}/.well-known/oauth-protected-resource/${path}/mcp"`

    it.each<[string, () => Promise<string | undefined>, string]>([
      ['no token', async () => undefined, 'missing'],
      ['no JWT', async () => 'nonsense', 'malformed'],
      ['an expired token', () => gateway.token({ ttlSeconds: -60 }), 'expired'],
      [
        "another server's token",
        () => gateway.token({ audience: `${PUBLIC_URL}/hidden/mcp` }),
        'audience',
      ],
      [
        'a token for elsewhere',
        () => gateway.token({ audience: 'https://else.example' }),
        'audience',
      ],
    ])('(%s) is 401, alike for every server, and calls nobody', async (_what, tokenOf, reason) => {
      const token = await tokenOf()
      const ask = async (path: string, init: RequestInit) => {
        const headers = new Headers(init.headers)
        if (token === undefined) headers.delete('authorization')
        return looksOf(await gateway.fetch(`/${path}/mcp`, { ...init, headers }), path)
      }
      const refused = await ask('shop', call(token ?? '', 'list_items'))
      expect(refused.status).toBe(401)
      expect(JSON.parse(refused.body)).toMatchObject({
        jsonrpc: '2.0',
        id: null,
        error: { code: -31001, data: { code: 'unauthenticated', reason } },
      })
      const value = refused.headers['www-authenticate'] ?? ''
      expect(value).toContain(metadata('shop'))
      expect(value.includes('error="invalid_token"')).toBe(reason !== 'missing')
      for (const path of ['off', 'mine', 'nothing-here']) {
        const other = await ask(path, call(token ?? '', 'list_items'))
        expect(other.headers['www-authenticate']).toContain(metadata(path))
        expect({ ...other, headers: {} }).toEqual({ ...refused, headers: {} })
      }
      for (const method of ['GET', 'DELETE', 'PUT']) {
        const other = await ask('shop', {
          method,
          headers: { ...REQUEST_ID, authorization: `Bearer ${token}` },
        })
        expect({ ...other, headers: {} }).toEqual({ ...refused, headers: {} })
      }
      expect(upstream.seen).toEqual([])
    })

    // req: session-401-before-404
    it('is 401 before its body, its content type or its session are looked at', async () => {
      for (const change of [
        { body: 'no json' },
        { headers: { 'content-type': 'text/plain' } },
        { headers: { 'mcp-session-id': 'x' } },
      ]) {
        const response = await shop({ method: 'POST', body: '{}', ...change })
        expect(response.status).toBe(401)
      }
    })

    it('finds no token in a URL or a cookie', async () => {
      const { authorization: _token, ...headers } = call(admin, 'list_items').headers as Record<
        string,
        string
      >
      const init = { ...call(admin, 'list_items'), headers: { ...headers, cookie: `t=${admin}` } }
      const response = await gateway.fetch(`/shop/mcp?access_token=${admin}&token=${admin}`, init)
      expect(response.status).toBe(401)
    })

    it('is 401 on the management API, with the metadata of the gateway', async () => {
      const response = await gateway.fetch('/api/v1/me')
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer resource_metadata="${PUBLIC_URL}/.well-known/oauth-protected-resource"`,
      )
      expect(await response.json()).toMatchObject({ code: 'unauthenticated', status: 401 })
    })
  })

  it("accepts a token for one endpoint's URL there, and nowhere else", async () => {
    const narrow = await gateway.token({ audience: `${PUBLIC_URL}/shop/mcp` })
    expect((await shop(call(narrow, 'list_items'))).status).toBe(200)
    const other = await gateway.fetch('/hidden/mcp', call(narrow, 'list_items'))
    expect(other.status).toBe(401)
    expect((await gateway.fetch('/api/v1/me', rest(narrow, 'GET'))).status).toBe(401)
  })

  describe('protected-resource metadata', () => {
    it('names exactly the endpoint, alike for every well-formed name', async () => {
      for (const path of ['shop', 'hidden', 'off', 'nothing-here']) {
        const response = await gateway.fetch(`/.well-known/oauth-protected-resource/${path}/mcp`)
        expect(response.status).toBe(200)
        expect(await response.json()).toEqual({
          resource: `${PUBLIC_URL}/${path}/mcp`,
          resource_name: `Gatehouse: ${path}`,
          authorization_servers: [PUBLIC_URL],
          bearer_methods_supported: ['header'],
        })
      }
    })

    it('names the gateway at its root', async () => {
      const response = await gateway.fetch('/.well-known/oauth-protected-resource')
      expect(await response.json()).toMatchObject({
        resource: PUBLIC_URL,
        authorization_servers: [PUBLIC_URL],
      })
    })

    it('names the scopes and the issuers of the configuration', async () => {
      const configured = createTestGateway({
        vars: {
          ADVERTISED_SCOPES: 'gatehouse:read gatehouse:call',
          TRUSTED_ISSUERS: JSON.stringify([{ preset: 'oidc', issuer: 'https://idp.example' }]),
        },
      })
      const path = '/.well-known/oauth-protected-resource/shop/mcp'
      expect(await (await configured.fetch(path)).json()).toMatchObject({
        authorization_servers: ['https://idp.example'],
        scopes_supported: ['gatehouse:read', 'gatehouse:call'],
      })
    })

    it.each(['Shop', 'api', '-shop', 'a'.repeat(32), 'sh%20op'])(
      'does not exist for %s, which can be no server',
      async (path) => {
        const response = await gateway.fetch(`/.well-known/oauth-protected-resource/${path}/mcp`)
        expect(response.status).toBe(404)
        expect(await response.json()).toMatchObject({ code: 'not_found' })
      },
    )
  })
})
