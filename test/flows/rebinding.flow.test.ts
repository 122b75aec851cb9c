import { beforeEach, describe, expect, it } from 'vitest'
import { createDnsDouble, type DnsDouble, RESOLVER_URL } from '../support/dns-double.ts'
import { createFakeUpstream, type FakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'

/** ATTACKS.md, 11: a name that is public when it is registered, and private when it is called. */
const PUBLIC = ['93.184.216.34']
const PRIVATE = ['10.0.0.7']

let dns: DnsDouble
let upstream: FakeUpstream
let now: number
let gateway: TestGateway
let token: string

beforeEach(async () => {
  dns = createDnsDouble()
  upstream = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
  now = Date.now()
  gateway = createTestGateway({
    vars: { RESOLVER_URL },
    seams: {
      clock: { now: () => now },
      fetcher: async (request) =>
        request.url.startsWith(RESOLVER_URL) ? dns.answer(request) : upstream.fetcher(request),
    },
  })
  token = await gateway.token()
})

const register = (host = 'shop.example', query = '') =>
  gateway.fetch(
    `/api/v1/servers${query}`,
    rest(token, 'POST', {
      path: 'shop',
      name: 'Shop',
      endpoints: [{ url: `https://${host}/mcp` }],
    }),
  )
async function call() {
  const { response, settle } = await gateway.fetchWith(
    '/shop/mcp',
    modern(token, 'tools/call', { name: 'echo', arguments: {} }),
  )
  const body = await response.json()
  await settle()
  return body
}
const answered = { result: { content: [{ text: 'ran echo' }] } }
const refused = {
  error: {
    code: -31012,
    message: expect.stringContaining('is not allowed; the request was not sent'),
  },
}

describe('a server whose name leads to a private address', () => {
  it.each([['', '?allowUnreachable=true']])(
    'is not registered, whatever is asked',
    async (...queries) => {
      dns.names.set('shop.example', PRIVATE)
      for (const query of queries) {
        const response = await register('shop.example', query)
        expect(response.status).toBe(400)
        expect(JSON.stringify(await response.json())).toMatch(/resolves to a private address/)
      }
      expect(upstream.seen).toEqual([])
    },
  )

  it('is not registered either while its name cannot be resolved', async () => {
    const response = await register('shop.example', '?allowUnreachable=true')
    expect(response.status).toBe(400)
    expect(upstream.seen).toEqual([])
  })

  it('is not moved there', async () => {
    dns.names.set('shop.example', PUBLIC)
    expect((await register()).status).toBe(201)
    dns.names.set('evil.example', PRIVATE)
    upstream.seen.length = 0
    const moved = await gateway.fetch(
      '/api/v1/servers/shop?allowUnreachable=true',
      rest(token, 'PATCH', { endpoints: [{ url: 'https://evil.example/mcp' }] }),
    )
    expect(moved.status).toBe(400)
    expect(upstream.seen).toEqual([])
    expect(await call()).toMatchObject(answered)
  })

  it('is called no more when its name changed since: within a minute, and asked behind the calls', async () => {
    dns.names.set('shop.example', PUBLIC)
    dns.ttlSeconds = 3_600
    expect((await register()).status).toBe(201)
    expect(await call()).toMatchObject(answered)
    dns.names.set('shop.example', PRIVATE)
    now += 60_000
    // This one goes by the verdict that is there; behind it the name is asked for.
    expect(await call()).toMatchObject(answered)
    upstream.seen.length = 0
    expect(await call()).toMatchObject(refused)
    expect(upstream.seen).toEqual([])
    dns.names.set('shop.example', PUBLIC)
    now += 60_000
    await call()
    expect(await call()).toMatchObject(answered)
  })

  it('is not called at all by who was quiet for longer', async () => {
    dns.names.set('shop.example', PUBLIC)
    expect((await register()).status).toBe(201)
    dns.names.set('shop.example', PRIVATE)
    now += 5 * 60_000
    upstream.seen.length = 0
    expect(await call()).toMatchObject(refused)
    expect(upstream.seen).toEqual([])
  })

  it('costs no question while its verdict is fresh: a call is a fetch', async () => {
    dns.names.set('shop.example', PUBLIC)
    dns.ttlSeconds = 60
    expect((await register()).status).toBe(201)
    await call()
    gateway.work.fetches = 0
    dns.asked.length = 0
    for (let n = 0; n < 20; n += 1) expect(await call()).toMatchObject(answered)
    expect(gateway.work.fetches).toBe(20)
    expect(dns.asked).toEqual([])
  })

  it('is resolved by nobody where no resolver is configured', async () => {
    const plain = createTestGateway({ seams: { fetcher: upstream.fetcher } })
    const root = await plain.token()
    const server = { path: 'shop', name: 'Shop', endpoints: [{ url: 'https://shop.example/mcp' }] }
    const created = await plain.fetch('/api/v1/servers', rest(root, 'POST', server))
    expect(created.status).toBe(201)
    expect(upstream.seen.every(({ url }) => url === 'https://shop.example/mcp')).toBe(true)
  })
})
