import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  PUBLIC_URL,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import {
  COUNT_ITEMS,
  call,
  DROP_TABLE,
  LIST_ITEMS,
  looksOf,
  POLICY,
  REQUEST_ID,
  SHOP_TOOLS,
  setUp,
} from '../support/shop.ts'

const upstream = createFakeUpstream(SHOP_TOOLS)

describe('the policy, from outside', () => {
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
    upstream.answersBy = 'json'
    upstream.seen.length = 0
  })

  const shop = (init: RequestInit) => gateway.fetch('/shop/mcp', init)

  describe('tools/list', () => {
    const shown = `"tools":[${LIST_ITEMS},${COUNT_ITEMS}],"x-vendor":1.0`

    it('shows exactly the tools that may be called, byte for byte, cacheable by nobody else', async () => {
      const response = await shop(modern(clerk, 'tools/list', {}, {}, 'l'))
      expect(response.status).toBe(200)
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await response.text()).toBe(
        `{"jsonrpc":"2.0","id":"l","result":{"resultType":"complete","ttlMs":1000,"cacheScope":"private",${shown}}}`,
      )
    })

    it('shows the same in an event stream', async () => {
      upstream.answersBy = 'sse'
      const response = await shop(modern(clerk, 'tools/list', {}, {}, 'l'))
      expect(response.headers.get('content-type')).toBe('text/event-stream')
      expect(await response.text()).toBe(
        `event: message\ndata: {"jsonrpc":"2.0","id":"l","result":{"resultType":"complete","ttlMs":1000,"cacheScope":"private",${shown}}}\n\n`,
      )
    })

    it('shows the same to a legacy client', async () => {
      const response = await shop(legacy(clerk, 'tools/list', {}, {}, 'l'))
      expect(await response.text()).toBe(`{"jsonrpc":"2.0","id":"l","result":{${shown}}}`)
    })

    it('shows everything to whoever may list everything, and still calls only what is granted', async () => {
      const lister = await gateway.token({ subject: 'lea', groups: ['listers'] })
      const listed = await (await shop(modern(lister, 'tools/list'))).text()
      expect(listed).toContain(DROP_TABLE)
      expect(await (await shop(call(lister, 'count_items'))).text()).toContain('ran count_items')
      expect(await (await shop(call(lister, 'drop_table'))).json()).toMatchObject({
        error: { code: -32602, data: { code: 'unknown_tool' } },
      })
    })

    // req: lists-private
    it('never lets a list of this gateway be cached as public, whoever asks', async () => {
      for (const method of ['tools/list', 'server/discover']) {
        const text = await (await shop(modern(admin, method))).text()
        expect(text).toContain('"cacheScope":"private"')
      }
    })

    it('shows the same over REST', async () => {
      const response = await gateway.fetch('/api/v1/servers/shop/tools', rest(clerk, 'GET'))
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({
        tools: [LIST_ITEMS, COUNT_ITEMS].map((text) => {
          const definition = JSON.parse(text)
          return { name: definition.name, definition }
        }),
        excluded: [],
      })
      const hidden = await gateway.fetch('/api/v1/servers/hidden/tools', rest(clerk, 'GET'))
      expect(hidden.status).toBe(404)
    })
  })

  describe('a tool that may not be called', () => {
    it('reads exactly like one that does not exist', async () => {
      const unknown = await looksOf(await shop(call(clerk, 'no_such_tool')), 'no_such_tool')
      expect(unknown.status).toBe(200)
      expect(JSON.parse(unknown.body)).toEqual({
        jsonrpc: '2.0',
        id: 1,
        error: {
          code: -32602,
          message: 'Unknown tool: <name>',
          data: {
            code: 'unknown_tool',
            fix: expect.any(String),
            requestId: REQUEST_ID['x-request-id'],
          },
        },
      })
      for (const name of [
        'drop_table',
        'LIST_ITEMS',
        'List_Items',
        'lіst_items', // Cyrillic і
        'list_items​',
        'ｌist_items',
        'list_items ',
        ' list_items',
        'list_items\u0000',
        'shop__list_items',
        'shop__shop__list_items',
        'hidden__list_items',
        'shop/list_items',
        '../list_items',
        '*',
        'all',
        '__proto__',
        'constructor',
      ]) {
        expect(await looksOf(await shop(call(clerk, name)), name), name).toEqual(unknown)
      }
      expect(upstream.seen).toEqual([])
    })

    it('reads the same to a legacy client', async () => {
      const ask = (name: string) =>
        shop(legacy(clerk, 'tools/call', { name, arguments: {} }, REQUEST_ID))
      const unknown = await looksOf(await ask('no_such_tool'), 'no_such_tool')
      expect(unknown.status).toBe(200)
      expect(await looksOf(await ask('drop_table'), 'drop_table')).toEqual(unknown)
      expect(upstream.seen).toEqual([])
    })

    it('is not reached by leaving its name out, or by a name that is no text', async () => {
      for (const name of [undefined, null, 7, ['drop_table'], { name: 'drop_table' }]) {
        const init = modern(clerk, 'tools/call', {}, REQUEST_ID)
        const body = JSON.parse(String(init.body))
        body.params.name = name
        const response = await shop({ ...init, body: JSON.stringify(body) })
        expect(await response.json()).toMatchObject({
          error: { code: -32602, data: { code: 'unknown_tool' } },
        })
      }
      expect(upstream.seen).toEqual([])
    })

    it('is not reached under the name of another in the header (ATTACKS 13)', async () => {
      const response = await shop(call(clerk, 'drop_table', { 'mcp-name': 'list_items' }))
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        id: 1,
        error: { code: -32020, data: { code: 'header_mismatch' } },
      })
      const twisted = await shop(call(clerk, 'list_items', { 'mcp-name': 'drop_table' }))
      expect(twisted.status).toBe(400)
      expect(upstream.seen).toEqual([])
    })

    it('is not reached as a notification', async () => {
      const init = legacy(clerk, 'tools/call', { name: 'drop_table', arguments: {} })
      const { id: _id, ...message } = JSON.parse(String(init.body))
      const response = await shop({ ...init, body: JSON.stringify(message) })
      expect(await response.json()).toMatchObject({ error: { data: { code: 'unknown_tool' } } })
      expect(upstream.seen).toEqual([])
    })

    it('is on the event line as refused, under the name of the body', async () => {
      await (await shop(call(clerk, 'drop_table'))).text()
      expect(gateway.events.at(-1)).toMatchObject({
        type: 'request',
        tool: 'drop_table',
        server: 'shop',
        outcome: 'unknown_tool',
        status: 200,
      })
    })
  })

  it('lets every tool that it shows be called', async () => {
    for (const name of ['list_items', 'count_items']) {
      const response = await shop(call(clerk, name))
      expect(response.status).toBe(200)
      expect(await response.text()).toContain(`ran ${name}`)
    }
  })

  it('answers a method that is not granted like one that the gateway does not know', async () => {
    const ask = async (method: string) =>
      looksOf(await shop(modern(clerk, method, {}, REQUEST_ID)), method)
    const unknown = await ask('no/such')
    expect(unknown).toMatchObject({ status: 404 })
    expect(JSON.parse(unknown.body)).toMatchObject({ error: { code: -32601 } })
    expect(await ask('resources/list')).toEqual(unknown)
    expect(upstream.seen).toEqual([])
    const inLegacy = await shop(legacy(clerk, 'resources/list'))
    expect(inLegacy.status).toBe(200)
    expect(await inLegacy.json()).toMatchObject({ error: { code: -32601 } })
  })

  describe('a server that may not be seen', () => {
    const shapes: [string, (token: string) => RequestInit][] = [
      ['a modern call', (token) => call(token, 'list_items')],
      ['a modern list', (token) => modern(token, 'tools/list', {}, REQUEST_ID)],
      ['discovery', (token) => modern(token, 'server/discover', {}, REQUEST_ID)],
      ['a legacy hello', (token) => legacy(token, 'initialize', hello(), REQUEST_ID)],
      ['a legacy call', (token) => legacy(token, 'tools/call', { name: 'list_items' }, REQUEST_ID)],
    ]

    it.each(shapes)('reads exactly like one that does not exist, to %s', async (_what, init) => {
      const ask = async (path: string, token = clerk) =>
        looksOf(await gateway.fetch(`/${path}/mcp`, init(token)), path)
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
      expect(await ask('off', admin)).toEqual(unknown)
      const people = await gateway.token({ subject: 'pia', groups: ['people'] })
      expect(await ask('mine', people)).toEqual(unknown)
      expect(await ask('ours', people)).toEqual(unknown)
      expect(upstream.seen).toEqual([])
    })

    it('is every server of another tenant', async () => {
      const elsewhere = createTestGateway({ seams: { fetcher: upstream.fetcher } })
      const stranger = await elsewhere.token()
      const ask = async (path: string) =>
        looksOf(await gateway.fetch(`/${path}/mcp`, call(stranger, 'list_items')), path)
      expect(await ask('shop')).toEqual(await ask('nothing-here'))
      const claims = { 'x-tenant': gateway.tenant, 'x-gatehouse-tenant': gateway.tenant }
      const asserted = await gateway.fetch('/shop/mcp', call(stranger, 'list_items', claims))
      expect(asserted.status).toBe(404)
      const listed = await gateway.fetch('/api/v1/servers', rest(stranger, 'GET'))
      expect(await listed.json()).toEqual({ servers: [] })
      const shown = await gateway.fetch('/api/v1/servers/shop', rest(stranger, 'GET'))
      expect(shown.status).toBe(404)
      expect(upstream.seen).toEqual([])
    })

    it('opens for the group it is meant for, and for its owner', async () => {
      const owner = await gateway.token({ subject: 'olga', groups: ['people', 'owners'] })
      for (const [path, token] of [
        ['ours', owner],
        ['mine', admin],
      ] as const) {
        const response = await gateway.fetch(`/${path}/mcp`, call(token, 'list_items'))
        expect(response.status).toBe(200)
        await response.text()
      }
    })
  })

  describe('a token without the OAuth scope', () => {
    it('is 403 with a challenge that a step-up answers', async () => {
      const reader = await gateway.token({
        subject: 'cleo',
        groups: ['clerks'],
        scopes: ['gatehouse:read'],
      })
      const response = await shop(call(reader, 'list_items'))
      expect(response.status).toBe(403)
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer resource_metadata="${PUBLIC_URL}/.well-known/oauth-protected-resource/shop/mcp", error="insufficient_scope", scope="gatehouse:call"`,
      )
      expect(await response.json()).toMatchObject({
        id: 1,
        error: { code: -31002, data: { code: 'insufficient_scope' } },
      })
      expect(upstream.seen).toEqual([])
      expect((await shop(modern(reader, 'tools/list'))).status).toBe(200)
    })

    it('learns nothing of what its groups do not allow', async () => {
      const reader = await gateway.token({
        subject: 'cleo',
        groups: ['clerks'],
        scopes: ['gatehouse:read'],
      })
      const ask = async (name: string) => looksOf(await shop(call(reader, name)), name)
      const unknown = await ask('no_such_tool')
      expect(unknown.status).toBe(200)
      expect(await ask('drop_table')).toEqual(unknown)
    })

    it('is 403 on the management API too', async () => {
      const reader = await gateway.token({ scopes: ['gatehouse:read'] })
      const response = await gateway.fetch('/api/v1/policy', rest(reader, 'PUT', POLICY))
      expect(response.status).toBe(403)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer resource_metadata="${PUBLIC_URL}/.well-known/oauth-protected-resource", error="insufficient_scope", scope="gatehouse:manage"`,
      )
      expect(await response.json()).toMatchObject({ code: 'insufficient_scope', status: 403 })
    })
  })
})
