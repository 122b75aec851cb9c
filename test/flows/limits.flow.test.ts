import { beforeAll, describe, expect, inject, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const POLICY = {
  group_mappings: { callers: ['callers'] },
  callers: [
    ...['modern', 'twin', 'desk'].map((server) => ({ server, methods: ['*'], tools: ['*'] })),
    { server: 'scripted', methods: ['*'], tools: ['*'] },
  ],
}

/** Freshness and limits are decided, not raced: isolates' time stands still unless moved. */
function movingClock() {
  const state = { now: Date.now() }
  const advance = (ms: number) => {
    state.now += ms
  }
  return { now: () => state.now, advance }
}

const echo = (token: string, name = 'echo', headers: Record<string, string> = {}) =>
  modern(token, 'tools/call', { name, arguments: { message: 'hi' } }, headers)

/** A tenant with servers, a virtual one, and so many isolates of one deployment. */
async function room(isolates: number, vars: Record<string, string> = {}) {
  const clock = movingClock()
  const options = { vars: { LIMIT_TENANT_PER_MINUTE: '1000000', ...vars }, seams: { clock } }
  const gateway = createTestGateway(options)
  const root = await gateway.token()
  const post = async (path: string, body: unknown, method = 'POST') => {
    const response = await gateway.fetch(path, rest(root, method, body))
    const answer = await response.json<Record<string, unknown>>()
    expect(response.status, JSON.stringify(answer)).toBeLessThan(300)
    return answer
  }
  for (const path of ['modern', 'twin']) {
    const endpoints = [{ url: inject('modernUrl') }]
    await post('/api/v1/servers', { path, name: path, endpoints })
  }
  const scripted = [{ url: `${inject('scriptedOrigin')}/dual` }]
  await post('/api/v1/servers', { path: 'scripted', name: 'scripted', endpoints: scripted })
  const tools = [{ server: 'modern', name: 'echo', as: 'say' }]
  await post('/api/v1/virtual-servers', { path: 'desk', name: 'Desk', tools })
  await post('/api/v1/policy', POLICY, 'PUT')
  const others = Array.from({ length: isolates - 1 }, () =>
    createTestGateway({ ...options, tenant: gateway.tenant }),
  )
  const token = (subject = 'caller') => gateway.token({ subject, groups: ['callers'] })
  const limit = (rule: object) =>
    post('/api/v1/limits', { name: 'rule', window: 'minute', ...rule })
  return { gateway, all: [gateway, ...others], root, post, token, limit, clock }
}

async function statusOf(gateway: TestGateway, path: string, init: RequestInit) {
  const { response, settle } = await gateway.fetchWith(path, init)
  await response.text()
  await settle()
  return response.status
}

const count = (statuses: readonly number[], status: number) =>
  statuses.filter((one) => one === status).length

describe('a limit that somebody tries to get round (ATTACKS.md 22)', () => {
  it('holds for bursts at 20 isolates at once: never more than the limit', async () => {
    const { all, token } = await room(20, { LIMIT_PRINCIPAL_PER_MINUTE: '60' })
    const caller = await token()
    const statuses = await Promise.all(
      all.flatMap((gateway) =>
        Array.from({ length: 10 }, () => statusOf(gateway, '/modern/mcp', echo(caller))),
      ),
    )
    expect(count(statuses, 200)).toBeLessThanOrEqual(60)
    expect(count(statuses, 200)).toBeGreaterThan(20)
    expect(count(statuses, 200) + count(statuses, 429)).toBe(200)
  })

  it('holds whatever token, header case and way in: all ways together have one limit', async () => {
    const limit = 40
    const { gateway, all, token } = await room(2, { LIMIT_PRINCIPAL_PER_MINUTE: String(limit) })
    const [, other] = all
    if (other === undefined) throw new Error('two isolates')
    const ways: ((fresh: string) => [string, RequestInit])[] = [
      (fresh) => ['/modern/mcp', echo(fresh)],
      (fresh) => ['/mcp', echo(fresh, 'modern__echo')],
      (fresh) => ['/desk/mcp', echo(fresh, 'say')],
      (fresh) => ['/scripted/mcp', legacy(fresh, 'initialize', hello())],
      (fresh) => ['/api/v1/me', { headers: { AUTHORIZATION: `bearer ${fresh}` } }],
      (fresh) => ['/mcp/tools', { headers: { 'X-Authorization': `Bearer ${fresh}` } }],
      (fresh) => [
        '/modern/mcp',
        echo(fresh, 'echo', { 'X-Forwarded-For': '1.2.3.4', 'x-tenant': 'b' }),
      ],
      (fresh) => ['/nothing/mcp', echo(fresh)],
      (fresh) => ['/mcpgw/mcp', modern(fresh, 'tools/list')],
      (fresh) => ['/api/v1/mcp/servers/connect', rest(fresh, 'POST', { server_name: 'nothing' })],
      (fresh) => ['/modern/sse', { headers: { authorization: `Bearer ${fresh}` } }],
    ]
    let served = 0
    let refused = 0
    for (let round = 0; round < 6; round += 1) {
      for (const [index, way] of ways.entries()) {
        // Another token each time, of the same subject.
        const [path, init] = way(await token())
        const at = index % 2 === 0 ? gateway : other
        const { response } = await at.fetchWith(path, init)
        await response.body?.cancel()
        if (response.status === 429) {
          refused += 1
          expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
        } else served += 1
      }
    }
    expect(served).toBeLessThanOrEqual(limit)
    expect(served).toBeGreaterThan(limit / 2)
    expect(served + refused).toBe(6 * ways.length)
    // Another principal of the tenant has his own.
    expect(await statusOf(gateway, '/modern/mcp', echo(await token('another')))).toBe(200)
  })

  it('holds for a server and its tool by every way to it, and for nothing else', async () => {
    const { gateway, token, limit, root } = await room(1)
    await limit({ per: ['server', 'tool'], match: { servers: ['modern'] }, limit: 9 })
    const caller = await token()
    const proxied = {
      server: 'modern',
      method: 'tools/call',
      params: { name: 'echo', arguments: { message: 'hi' } },
    }
    const ways: [string, RequestInit][] = [
      ['/modern/mcp', echo(caller)],
      ['/mcp', echo(caller, 'modern__echo')],
      ['/desk/mcp', echo(caller, 'say')],
      ['/mcpgw/mcp', modern(root, 'tools/call', { name: 'proxy_request', arguments: proxied })],
    ]
    const refusals: string[] = []
    for (let round = 0; round < 4; round += 1) {
      for (const [path, init] of ways) {
        const response = await gateway.fetch(path, init)
        const text = await response.text()
        if (response.status === 429 || text.includes('rate_limited')) refusals.push(path)
      }
    }
    // Two share the rule's counter: it keeps what a third one would need (docs/decisions/0013).
    expect(refusals.length).toBeGreaterThanOrEqual(16 - 9)
    expect(refusals.length).toBeLessThanOrEqual(16 - 5)
    expect(new Set(refusals)).toEqual(new Set(ways.map(([path]) => path)))
    expect(await statusOf(gateway, '/twin/mcp', echo(caller))).toBe(200)
    expect(await statusOf(gateway, '/modern/mcp', modern(caller, 'tools/list'))).toBe(200)
  })

  it('is not free to guess at: unknown names cost permits, and none of the rules about servers', async () => {
    const { gateway, token, limit } = await room(1, { LIMIT_PRINCIPAL_PER_MINUTE: '20' })
    await limit({ per: ['principal', 'server'], limit: 3 })
    const caller = await token()
    const guesses = []
    for (let n = 0; n < 17; n += 1) {
      guesses.push(await statusOf(gateway, `/guess-${n}/mcp`, echo(caller)))
    }
    expect(count(guesses, 404)).toBe(17)
    const calls = []
    for (let n = 0; n < 5; n += 1) calls.push(await statusOf(gateway, '/modern/mcp', echo(caller)))
    expect(calls).toEqual([200, 200, 200, 429, 429])
  })

  it('has one counter for tools that are not there, so that invented names make no new ones', async () => {
    const { gateway, token, limit } = await room(1)
    await limit({ per: ['principal', 'tool'], limit: 3 })
    const caller = await token()
    const statuses = []
    for (let n = 0; n < 6; n += 1) {
      statuses.push(await statusOf(gateway, '/modern/mcp', echo(caller, `invented-${n}`)))
    }
    expect(count(statuses, 429)).toBe(3)
    expect(await statusOf(gateway, '/modern/mcp', echo(caller))).toBe(200)
  })
})

describe('rules of a tenant', () => {
  it('take effect on every isolate within 5 s, when made, changed, disabled and deleted', async () => {
    const { gateway, all, token, limit, post, clock, root } = await room(2)
    const [, other] = all
    if (other === undefined) throw new Error('two isolates')
    const caller = await token()
    expect(await statusOf(other, '/modern/mcp', echo(caller))).toBe(200)
    const { id } = await limit({ per: ['principal'], limit: 2, window: 'day' })
    clock.advance(5_001)
    const three = async () => {
      const statuses = []
      for (let n = 0; n < 3; n += 1)
        statuses.push(await statusOf(other, '/modern/mcp', echo(caller)))
      return statuses
    }
    expect(await three()).toEqual([200, 200, 429])
    await post(`/api/v1/limits/${id}`, { limit: 4 }, 'PATCH')
    clock.advance(5_001)
    // What was used stays used.
    expect(await three()).toEqual([200, 200, 429])
    await post(`/api/v1/limits/${id}`, { enabled: false }, 'PATCH')
    clock.advance(5_001)
    expect(await three()).toEqual([200, 200, 200])
    const deleted = await gateway.fetch(`/api/v1/limits/${id}`, rest(root, 'DELETE'))
    expect(deleted.status).toBe(204)
  })

  it('answer 429 with Retry-After and the rule, in JSON-RPC and in a problem document', async () => {
    const { gateway, token, limit } = await room(1)
    await limit({ name: 'few calls', per: ['principal'], limit: 1, window: 'month' })
    const caller = await token()
    expect(await statusOf(gateway, '/modern/mcp', echo(caller))).toBe(200)
    const refused = await gateway.fetch('/modern/mcp', echo(caller))
    expect(refused.status).toBe(429)
    const seconds = Number(refused.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(31 * 86_400)
    expect(await refused.json()).toMatchObject({
      id: 1,
      error: {
        code: -31011,
        message: `The limit "few calls" is used up; try again in ${seconds} s.`,
        data: {
          code: 'rate_limited',
          scope: 'rule',
          rule: 'few calls',
          retryAfterSeconds: seconds,
        },
      },
    })
    expect(refused.headers.get('ratelimit')).toBe(`"few calls";r=0;t=${seconds}`)
    expect(refused.headers.get('ratelimit-policy')).toBe(
      '"few calls";q=1;w=2678400;gatehouse-approx',
    )
    const problem = await gateway.fetch('/api/v1/me', {
      headers: { authorization: `Bearer ${caller}` },
    })
    expect(problem.status).toBe(429)
    expect(problem.headers.get('retry-after')).not.toBeNull()
    expect(await problem.json()).toMatchObject({ code: 'rate_limited', rule: 'few calls' })
  })

  it('tell the tightest limit with every answer, also to web pages', async () => {
    const origin = 'https://app.example.com'
    const { gateway, token, limit } = await room(1, { ALLOWED_ORIGINS: origin })
    await limit({ name: 'tools', per: ['principal', 'tool'], limit: 30 })
    const caller = await token()
    const called = await gateway.fetch('/modern/mcp', echo(caller, 'echo', { origin }))
    expect(called.status).toBe(200)
    await called.text()
    expect(called.headers.get('ratelimit')).toBe('"tools";r=29;t=60')
    expect(called.headers.get('ratelimit-policy')).toBe('"tools";q=30;w=60;gatehouse-approx')
    expect(called.headers.get('access-control-expose-headers')).toContain(
      'RateLimit, RateLimit-Policy',
    )
    const me = await gateway.fetch('/api/v1/me', { headers: { authorization: `Bearer ${caller}` } })
    expect(me.headers.get('ratelimit')).toBe('"principal";r=598;t=60')
    const open = await gateway.fetch('/health')
    expect(open.headers.get('ratelimit')).toBeNull()
  })

  it('say what is used, and of whom', async () => {
    const { gateway, token, limit, root } = await room(1)
    const { id } = await limit({ name: 'tools', per: ['principal', 'tool'], limit: 1 })
    const caller = await token()
    await statusOf(gateway, '/modern/mcp', echo(caller))
    const answer = await gateway.fetch('/api/v1/limits/usage', rest(root, 'GET'))
    const { counters } = await answer.json<{ counters: Record<string, unknown>[] }>()
    expect(counters[0]).toMatchObject({
      ...{ rule: id, name: 'tools', limit: 1, window: 60_000 },
      partition: { tool: 'echo', principal: expect.stringContaining('#') },
    })
    expect(counters.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['tools', 'principal', 'tenant']),
    )
  })

  it('are a wall between tenants: what one uses up another has', async () => {
    const one = await room(1, { LIMIT_TENANT_PER_MINUTE: '30' })
    const other = await room(1, { LIMIT_TENANT_PER_MINUTE: '30' })
    const flood = await one.token()
    for (let n = 0; n < 40; n += 1) await statusOf(one.gateway, '/modern/mcp', echo(flood))
    expect(await statusOf(one.gateway, '/modern/mcp', echo(flood))).toBe(429)
    expect(await statusOf(other.gateway, '/modern/mcp', echo(await other.token()))).toBe(200)
  })

  it('leave a newcomer his share of a tenant whose greedy user wants everything', async () => {
    const { gateway, token } = await room(1, { LIMIT_TENANT_PER_MINUTE: '200' })
    const greedy = await token('greedy')
    let served = 0
    for (let n = 0; n < 150; n += 1) {
      if ((await statusOf(gateway, '/modern/mcp', echo(greedy))) === 200) served += 1
    }
    const modest = await token('modest')
    const statuses = []
    for (let n = 0; n < 10; n += 1)
      statuses.push(await statusOf(gateway, '/modern/mcp', echo(modest)))
    expect(statuses).toEqual(Array(10).fill(200))
    // Root's preparations had some; the rest of what was free at once went to the one who asked.
    expect(served).toBeLessThan(200)
  })
})

describe('rules and the work of a steady call', () => {
  it('stays one fetch without D1 and at most 5 object calls behind 100 calls', async () => {
    const { gateway, token, limit } = await room(1)
    await limit({ name: 'a', per: ['principal'], limit: 100_000, window: 'month' })
    await limit({ name: 'b', per: ['server', 'tool'], limit: 100_000 })
    await limit({
      name: 'c',
      per: ['principal', 'server'],
      limit: 6_000,
      match: { methods: ['tools/*'] },
    })
    const caller = await token()
    const { work } = gateway
    for (let n = 0; n < 40; n += 1) await statusOf(gateway, '/modern/mcp', echo(caller))
    Object.assign(work, { fetches: 0, d1: 0, objects: 0 })
    for (let n = 0; n < 100; n += 1) {
      expect(await statusOf(gateway, '/modern/mcp', echo(caller))).toBe(200)
    }
    expect(work).toMatchObject({ fetches: 100, d1: 0 })
    expect(work.objects).toBeLessThanOrEqual(5)
  })
})

describe('addresses', () => {
  const vars = { CLIENT_ADDRESS_HEADER: 'CF-Connecting-IP', LIMIT_ADDRESS_PER_MINUTE: '5' }
  const from = (address: string) => ({ headers: { 'cf-connecting-ip': address } })
  let gateway: TestGateway
  beforeAll(() => {
    gateway = createTestGateway({ vars })
  })

  it('that flood get 429 before their token is looked at, and leave no line in the log', async () => {
    for (let n = 0; n < 5; n += 1) {
      expect(
        (await gateway.fetch('/modern/mcp', { ...from('192.0.2.1'), method: 'POST' })).status,
      ).toBe(401)
    }
    const lines = gateway.events.length
    Object.assign(gateway.work, { fetches: 0, d1: 0, objects: 0 })
    const init = {
      method: 'POST',
      headers: { ...from('192.0.2.1').headers, authorization: 'Bearer x' },
    }
    for (let n = 0; n < 50; n += 1) {
      const refused = await gateway.fetch('/modern/mcp', init)
      expect(refused.status).toBe(429)
      expect(refused.headers.get('retry-after')).toBe('10')
      expect(await refused.json()).toMatchObject({ code: 'rate_limited', status: 429 })
    }
    expect(gateway.work).toEqual({ fetches: 0, d1: 0, objects: 0 })
    expect(gateway.events.slice(lines)).toMatchObject([{ type: 'address_limited', refused: 1 }])
    expect((await gateway.fetch('/health', from('192.0.2.2'))).status).not.toBe(429)
  })

  it('are not believed where no header is configured', async () => {
    const open = createTestGateway({ vars: { LIMIT_ADDRESS_PER_MINUTE: '5' } })
    for (let n = 0; n < 20; n += 1) {
      expect(
        (await open.fetch('/modern/mcp', { ...from('192.0.2.1'), method: 'POST' })).status,
      ).toBe(401)
    }
  })
})

describe('a rule that leaves nobody anything', () => {
  it('can be taken back by who may edit rules', async () => {
    const { gateway, root, token, limit, clock } = await room(1)
    const rule = await limit({ name: 'oops', per: ['tenant'], limit: 1, window: 'month' })
    clock.advance(6_000)
    expect(await statusOf(gateway, '/modern/mcp', echo(await token()))).toBe(200)
    expect(await statusOf(gateway, '/api/v1/servers', rest(root, 'GET'))).toBe(429)
    expect(await statusOf(gateway, '/api/v1/limits', rest(root, 'GET'))).toBe(200)
    expect(await statusOf(gateway, `/api/v1/limits/${rule['id']}`, rest(root, 'DELETE'))).toBe(204)
    clock.advance(6_000)
    expect(await statusOf(gateway, '/api/v1/servers', rest(root, 'GET'))).toBe(200)
  })

  it('holds for who wants to be told of changes', async () => {
    const { gateway, token, limit, clock } = await room(1)
    const match = { methods: ['subscriptions/listen'] }
    await limit({ match, per: ['principal'], limit: 1, windowMs: 600_000, window: undefined })
    clock.advance(6_000)
    const listen = modern(await token(), 'subscriptions/listen', {
      notifications: { toolsListChanged: true },
    })
    for (const path of ['/modern/mcp', '/mcp']) {
      const { response } = await gateway.fetchWith(path, listen)
      await response.body?.cancel()
      expect(response.status).toBe(path === '/mcp' ? 429 : 200)
    }
  })
})
