import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, hello, legacy, modern, PUBLIC_URL, rest } from '../support/gateway.ts'
import { call, looksOf, POLICY, REQUEST_ID, type ShopTenant, shopTenant } from '../support/shop.ts'

describe('the policy, from outside', () => {
  let tenant: ShopTenant

  beforeAll(async () => {
    tenant = await shopTenant()
  })

  beforeEach(() => tenant.reset())

  describe('a server that may not be seen', () => {
    const shapes: [string, (token: string) => RequestInit][] = [
      ['a modern call', (token) => call(token, 'list_items')],
      ['a modern list', (token) => modern(token, 'tools/list', {}, REQUEST_ID)],
      ['discovery', (token) => modern(token, 'server/discover', {}, REQUEST_ID)],
      ['a legacy hello', (token) => legacy(token, 'initialize', hello(), REQUEST_ID)],
      ['a legacy call', (token) => legacy(token, 'tools/call', { name: 'list_items' }, REQUEST_ID)],
    ]

    it.each(shapes)('reads exactly like one that does not exist, to %s', async (_what, init) => {
      const ask = async (path: string, token = tenant.clerk) =>
        looksOf(await tenant.gateway.fetch(`/${path}/mcp`, init(token)), path)
      const unknown = await ask('nothing-here')
      expect(unknown.status).toBe(404)
      expect(JSON.parse(unknown.body)).toMatchObject({
        id: 1,
        error: {
          code: -31006,
          message: 'There is no server named "<name>".',
          data: { code: 'not_found' },
        },
      })
      expect(await ask('hidden')).toEqual(unknown)
      expect(await ask('off')).toEqual(unknown)
      expect(await ask('mine')).toEqual(unknown)
      expect(await ask('ours')).toEqual(unknown)
      expect(await ask('off', tenant.admin)).toEqual(unknown)
      const people = await tenant.gateway.token({ subject: 'pia', groups: ['people'] })
      expect(await ask('mine', people)).toEqual(unknown)
      expect(await ask('ours', people)).toEqual(unknown)
      expect(tenant.upstream.seen).toEqual([])
    })

    it('is every server of another tenant', async () => {
      const elsewhere = createTestGateway({ seams: { fetcher: tenant.upstream.fetcher } })
      const stranger = await elsewhere.token()
      const ask = async (path: string) =>
        looksOf(await tenant.gateway.fetch(`/${path}/mcp`, call(stranger, 'list_items')), path)
      expect(await ask('shop')).toEqual(await ask('nothing-here'))
      const claims = {
        'x-tenant': tenant.gateway.tenant,
        'x-gatehouse-tenant': tenant.gateway.tenant,
      }
      const asserted = await tenant.gateway.fetch('/shop/mcp', call(stranger, 'list_items', claims))
      expect(asserted.status).toBe(404)
      const listed = await tenant.gateway.fetch('/api/v1/servers', rest(stranger, 'GET'))
      expect(await listed.json()).toEqual({ servers: [] })
      const shown = await tenant.gateway.fetch('/api/v1/servers/shop', rest(stranger, 'GET'))
      expect(shown.status).toBe(404)
      expect(tenant.upstream.seen).toEqual([])
    })

    it('opens for the group it is meant for, and for its owner', async () => {
      const owner = await tenant.gateway.token({ subject: 'olga', groups: ['people', 'owners'] })
      for (const [path, token] of [
        ['ours', owner],
        ['mine', tenant.admin],
      ] as const) {
        const response = await tenant.gateway.fetch(`/${path}/mcp`, call(token, 'list_items'))
        expect(response.status).toBe(200)
        await response.text()
      }
    })
  })

  describe('a token without the OAuth scope', () => {
    it('is 403 with a challenge that a step-up answers', async () => {
      const reader = await tenant.gateway.token({
        subject: 'cleo',
        groups: ['clerks'],
        scopes: ['gatehouse:read'],
      })
      const response = await tenant.shop(call(reader, 'list_items'))
      expect(response.status).toBe(403)
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer resource_metadata="${PUBLIC_URL}/.well-known/oauth-protected-resource/shop/mcp", error="insufficient_scope", scope="gatehouse:call"`,
      )
      expect(await response.json()).toMatchObject({
        id: 1,
        error: { code: -31002, data: { code: 'insufficient_scope' } },
      })
      expect(tenant.upstream.seen).toEqual([])
      expect((await tenant.shop(modern(reader, 'tools/list'))).status).toBe(200)
    })

    it('learns nothing of what its groups do not allow', async () => {
      const reader = await tenant.gateway.token({
        subject: 'cleo',
        groups: ['clerks'],
        scopes: ['gatehouse:read'],
      })
      const ask = async (name: string) => looksOf(await tenant.shop(call(reader, name)), name)
      const unknown = await ask('no_such_tool')
      expect(unknown.status).toBe(200)
      expect(await ask('drop_table')).toEqual(unknown)
    })

    it('is 403 on the management API too', async () => {
      const reader = await tenant.gateway.token({ scopes: ['gatehouse:read'] })
      const response = await tenant.gateway.fetch('/api/v1/policy', rest(reader, 'PUT', POLICY))
      expect(response.status).toBe(403)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer resource_metadata="${PUBLIC_URL}/.well-known/oauth-protected-resource", error="insufficient_scope", scope="gatehouse:manage"`,
      )
      expect(await response.json()).toMatchObject({ code: 'insufficient_scope', status: 403 })
    })
  })
})
