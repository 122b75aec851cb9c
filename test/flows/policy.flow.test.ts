import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { legacy, modern, rest } from '../support/gateway.ts'
import {
  COUNT_ITEMS,
  call,
  DROP_TABLE,
  LIST_ITEMS,
  looksOf,
  REQUEST_ID,
  type ShopTenant,
  shopTenant,
} from '../support/shop.ts'

describe('the policy, from outside', () => {
  let tenant: ShopTenant

  beforeAll(async () => {
    tenant = await shopTenant()
  })

  beforeEach(() => tenant.reset())

  describe('tools/list', () => {
    const shown = `"tools":[${LIST_ITEMS},${COUNT_ITEMS}],"x-vendor":1.0`

    it('shows exactly the tools that may be called, byte for byte, cacheable by nobody else', async () => {
      const response = await tenant.shop(modern(tenant.clerk, 'tools/list', {}, {}, 'l'))
      expect(response.status).toBe(200)
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await response.text()).toBe(
        `{"jsonrpc":"2.0","id":"l","result":{"resultType":"complete","ttlMs":1000,"cacheScope":"private",${shown}}}`,
      )
    })

    it('shows the same in an event stream', async () => {
      tenant.upstream.answersBy = 'sse'
      const response = await tenant.shop(modern(tenant.clerk, 'tools/list', {}, {}, 'l'))
      expect(response.headers.get('content-type')).toBe('text/event-stream')
      expect(await response.text()).toBe(
        `event: message\ndata: {"jsonrpc":"2.0","id":"l","result":{"resultType":"complete","ttlMs":1000,"cacheScope":"private",${shown}}}\n\n`,
      )
    })

    it('shows the same to a legacy client', async () => {
      const response = await tenant.shop(legacy(tenant.clerk, 'tools/list', {}, {}, 'l'))
      expect(await response.text()).toBe(`{"jsonrpc":"2.0","id":"l","result":{${shown}}}`)
    })

    it('shows everything to whoever may list everything, and still calls only what is granted', async () => {
      const lister = await tenant.gateway.token({ subject: 'lea', groups: ['listers'] })
      const listed = await (await tenant.shop(modern(lister, 'tools/list'))).text()
      expect(listed).toContain(DROP_TABLE)
      expect(await (await tenant.shop(call(lister, 'count_items'))).text()).toContain(
        'ran count_items',
      )
      expect(await (await tenant.shop(call(lister, 'drop_table'))).json()).toMatchObject({
        error: { code: -32602, data: { code: 'unknown_tool' } },
      })
    })

    // req: lists-private
    it('never lets a list of this gateway be cached as public, whoever asks', async () => {
      for (const method of ['tools/list', 'server/discover']) {
        const text = await (await tenant.shop(modern(tenant.admin, method))).text()
        expect(text).toContain('"cacheScope":"private"')
      }
    })

    it('shows the same over REST', async () => {
      const response = await tenant.gateway.fetch(
        '/api/v1/servers/shop/tools',
        rest(tenant.clerk, 'GET'),
      )
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({
        tools: [LIST_ITEMS, COUNT_ITEMS].map((text) => {
          const definition = JSON.parse(text)
          return { name: definition.name, definition }
        }),
        excluded: [],
      })
      const hidden = await tenant.gateway.fetch(
        '/api/v1/servers/hidden/tools',
        rest(tenant.clerk, 'GET'),
      )
      expect(hidden.status).toBe(404)
    })
  })

  describe('a tool that may not be called', () => {
    it('reads exactly like one that does not exist', async () => {
      const unknown = await looksOf(
        await tenant.shop(call(tenant.clerk, 'no_such_tool')),
        'no_such_tool',
      )
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
        expect(await looksOf(await tenant.shop(call(tenant.clerk, name)), name), name).toEqual(
          unknown,
        )
      }
      expect(tenant.upstream.seen).toEqual([])
    })

    it('reads the same to a legacy client', async () => {
      const ask = (name: string) =>
        tenant.shop(legacy(tenant.clerk, 'tools/call', { name, arguments: {} }, REQUEST_ID))
      const unknown = await looksOf(await ask('no_such_tool'), 'no_such_tool')
      expect(unknown.status).toBe(200)
      expect(await looksOf(await ask('drop_table'), 'drop_table')).toEqual(unknown)
      expect(tenant.upstream.seen).toEqual([])
    })

    it('is not reached by leaving its name out, or by a name that is no text', async () => {
      for (const name of [undefined, null, 7, ['drop_table'], { name: 'drop_table' }]) {
        const init = modern(tenant.clerk, 'tools/call', {}, REQUEST_ID)
        const body = JSON.parse(String(init.body))
        body.params.name = name
        const response = await tenant.shop({ ...init, body: JSON.stringify(body) })
        expect(await response.json()).toMatchObject({
          error: { code: -32602, data: { code: 'unknown_tool' } },
        })
      }
      expect(tenant.upstream.seen).toEqual([])
    })

    it('is not reached under the name of another in the header (ATTACKS 13)', async () => {
      const response = await tenant.shop(
        call(tenant.clerk, 'drop_table', { 'mcp-name': 'list_items' }),
      )
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        id: 1,
        error: { code: -32020, data: { code: 'header_mismatch' } },
      })
      const twisted = await tenant.shop(
        call(tenant.clerk, 'list_items', { 'mcp-name': 'drop_table' }),
      )
      expect(twisted.status).toBe(400)
      expect(tenant.upstream.seen).toEqual([])
    })

    it('is not reached as a notification', async () => {
      const init = legacy(tenant.clerk, 'tools/call', { name: 'drop_table', arguments: {} })
      const { id: _id, ...message } = JSON.parse(String(init.body))
      const response = await tenant.shop({ ...init, body: JSON.stringify(message) })
      expect(await response.json()).toMatchObject({ error: { data: { code: 'unknown_tool' } } })
      expect(tenant.upstream.seen).toEqual([])
    })

    it('is on the event line as refused, under the name of the body', async () => {
      await (await tenant.shop(call(tenant.clerk, 'drop_table'))).text()
      expect(tenant.gateway.events.at(-1)).toMatchObject({
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
      const response = await tenant.shop(call(tenant.clerk, name))
      expect(response.status).toBe(200)
      expect(await response.text()).toContain(`ran ${name}`)
    }
  })

  it('answers a method that is not granted like one that the gateway does not know', async () => {
    const ask = async (method: string) =>
      looksOf(await tenant.shop(modern(tenant.clerk, method, {}, REQUEST_ID)), method)
    const unknown = await ask('no/such')
    expect(unknown).toMatchObject({ status: 404 })
    expect(JSON.parse(unknown.body)).toMatchObject({ error: { code: -32601 } })
    expect(await ask('resources/list')).toEqual(unknown)
    expect(tenant.upstream.seen).toEqual([])
    const inLegacy = await tenant.shop(legacy(tenant.clerk, 'resources/list'))
    expect(inLegacy.status).toBe(200)
    expect(await inLegacy.json()).toMatchObject({ error: { code: -32601 } })
  })
})
