import { describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, rest } from '../support/gateway.ts'
import { call, POLICY, SHOP_TOOLS, setUp } from '../support/shop.ts'

const upstream = createFakeUpstream(SHOP_TOOLS)

describe('a change on one isolate (DESIGN.md, Decision 4)', () => {
  /** Two isolates over one D1, at one time; both have just confirmed what they know. */
  async function twoIsolates() {
    let now = Date.now()
    const seams = { clock: { now: () => now }, fetcher: upstream.fetcher }
    const here = createTestGateway({ seams })
    const there = createTestGateway({ seams, tenant: here.tenant })
    const admin = await here.token()
    await setUp(here, admin)
    const clerk = await here.token({ subject: 'cleo', groups: ['clerks'] })
    const callThere = async () => {
      const { response, settle } = await there.fetchWith('/shop/mcp', call(clerk, 'list_items'))
      const text = await response.text()
      await settle()
      return { status: response.status, text }
    }
    expect((await callThere()).text).toContain('ran list_items')
    const advance = (ms: number) => {
      now += ms
    }
    return { here, admin, callThere, advance }
  }

  it.each<[string, string, string, unknown, number]>([
    ['disables a server', 'POST', '/servers/shop/toggle', { enabled: false }, 404],
    ['deletes a server', 'DELETE', '/servers/shop', undefined, 404],
    ['hides a server', 'PATCH', '/servers/shop', { visibility: 'private' }, 404],
    ['takes a grant away', 'PUT', '/policy', { group_mappings: { clerks: [] } }, 404],
    [
      'takes a tool away',
      'PUT',
      '/policy',
      { ...POLICY, clerk: [{ server: 'shop', methods: ['tools/call'], tools: ['count_items'] }] },
      200,
    ],
  ])(
    'that %s is in force on another after 5 s at the latest',
    async (_what, method, path, body, status) => {
      const { here, admin, callThere, advance } = await twoIsolates()
      const changed = await here.fetch(`/api/v1${path}`, rest(admin, method, body))
      expect(changed.ok).toBe(true)
      advance(5_000)
      upstream.seen.length = 0
      const { status: got, text } = await callThere()
      expect(got).toBe(status)
      expect(text).toMatch(/"code":"(not_found|unknown_tool)"/)
      expect(upstream.seen).toEqual([])
    },
  )

  it('is in force after one call that came between 3 and 5 s', async () => {
    const { here, admin, callThere, advance } = await twoIsolates()
    await here.fetch('/api/v1/servers/shop/toggle', rest(admin, 'POST', { enabled: false }))
    advance(2_999)
    expect((await callThere()).status).toBe(200)
    advance(1)
    expect((await callThere()).status).toBe(200)
    expect((await callThere()).status).toBe(404)
  })

  it('is in force at once where it was made', async () => {
    const { here, admin } = await twoIsolates()
    const clerk = await here.token({ subject: 'cleo', groups: ['clerks'] })
    await here.fetch('/api/v1/servers/shop/toggle', rest(admin, 'POST', { enabled: false }))
    expect((await here.fetch('/shop/mcp', call(clerk, 'list_items'))).status).toBe(404)
  })
})
