import { describe, expect, it } from 'vitest'
import { modern, rest } from '../support/gateway.ts'
import { echo, limitedTenant, statusOf } from '../support/limited-tenant.ts'

describe('rules of a tenant', () => {
  it('take effect on every isolate within 5 s, when made, changed, disabled and deleted', async () => {
    const { gateway, all, token, limit, post, clock, root } = await limitedTenant(2)
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

  it('tell who shares a limit that it is his share that is used up', async () => {
    const { gateway, token, limit } = await limitedTenant(1)
    await limit({ name: 'ours', per: ['tenant'], limit: 20, window: 'hour' })
    const caller = await token()
    const statuses: number[] = []
    let refused = ''
    for (let n = 0; n < 20; n += 1) {
      const response = await gateway.fetch('/modern/mcp', echo(caller))
      statuses.push(response.status)
      if (response.status === 429) refused = await response.text()
    }
    // Alone one has half of it at once (decision 13).
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(10)
    expect(refused).toContain('Your share of the limit \\"ours\\" is used up; try again in 5 s.')
  })

  it('answer 429 with Retry-After and the rule, in JSON-RPC and in a problem document', async () => {
    const { gateway, token, limit } = await limitedTenant(1)
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
    const { gateway, token, limit } = await limitedTenant(1, { ALLOWED_ORIGINS: origin })
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
    const { gateway, token, limit, root } = await limitedTenant(1)
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
    const one = await limitedTenant(1, { LIMIT_TENANT_PER_MINUTE: '30' })
    const other = await limitedTenant(1, { LIMIT_TENANT_PER_MINUTE: '30' })
    const flood = await one.token()
    for (let n = 0; n < 40; n += 1) await statusOf(one.gateway, '/modern/mcp', echo(flood))
    expect(await statusOf(one.gateway, '/modern/mcp', echo(flood))).toBe(429)
    expect(await statusOf(other.gateway, '/modern/mcp', echo(await other.token()))).toBe(200)
  })

  it('leave a newcomer his share of a tenant whose greedy user wants everything', async () => {
    const { gateway, token } = await limitedTenant(1, { LIMIT_TENANT_PER_MINUTE: '200' })
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
    const { gateway, token, limit } = await limitedTenant(1)
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

describe('a rule that leaves nobody anything', () => {
  it('can be taken back by who may edit rules', async () => {
    const { gateway, root, token, limit, clock } = await limitedTenant(1)
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
    const { gateway, token, limit, clock } = await limitedTenant(1)
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
