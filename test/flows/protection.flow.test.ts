import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const call = (token: string, name: string) =>
  modern(token, 'tools/call', { name, arguments: { message: 'hi' } }, {}, 'mine')
const echo = (token: string) => call(token, 'echo')

/** Time stands still unless a test moves it. */
function stoppedClock(now = Date.now()) {
  return {
    now: () => now,
    advance: (ms: number) => {
      now += ms
    },
  }
}

describe('the breaker', () => {
  const room = scriptedRoom('breaker')
  /** Of the object as well, which has the configuration of the deployment: the defaults. */
  const THRESHOLD = 5
  const OPEN_MS = 30_000
  const clock = stoppedClock()
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { clock } })
    token = await gateway.token()
    await room.register(gateway, token)
    const other = { path: 'other', endpoints: [{ url: room.url('dual') }] }
    await room.register(gateway, token, other)
  })

  /** With what stands behind the response done, so that the object has been told. */
  async function send(name: string, on = gateway, path = 'scripted') {
    const before = on.work.fetches
    const { response, settle } = await on.fetchWith(`/${path}/mcp`, call(token, name))
    const text = await response.text()
    await settle()
    return { response, body: JSON.parse(text), fetches: on.work.fetches - before }
  }

  async function expectOpen(seconds: number, on = gateway) {
    const { response, body, fetches } = await send('echo', on)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe(String(seconds))
    expect(body).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31014,
        message: 'The server "scripted" is failing; the gateway waits before it tries again.',
        data: {
          code: 'upstream_unavailable',
          fix: 'Try again after Retry-After.',
          requestId: response.headers.get('x-request-id'),
          retryAfterSeconds: seconds,
        },
      },
    })
    expect(fetches).toBe(0)
  }

  async function fail(times: number, tool = 'die_before') {
    for (let index = 0; index < times; index += 1) {
      const { response, body, fetches } = await send(tool)
      expect(response.status).toBe(200)
      expect(body).toMatchObject({ error: { data: { code: 'upstream_failed' } } })
      expect(fetches).toBe(1)
    }
  }

  it('stays closed while a failure is followed by an answer', async () => {
    await fail(THRESHOLD - 1)
    expect((await send('echo')).response.status).toBe(200)
    await fail(THRESHOLD - 1, 'die_at_json')
    expect((await send('echo')).response.status).toBe(200)
  })

  it('opens after failures in a row: 503 without a fetch, for this server alone', async () => {
    await fail(THRESHOLD)
    await expectOpen(OPEN_MS / 1000)
    clock.advance(10_500)
    await expectOpen(20)
    expect((await send('echo', gateway, 'other')).response.status).toBe(200)
  })

  it('is open in every isolate that asks', async () => {
    const second = createTestGateway({ tenant: gateway.tenant, seams: { clock } })
    // Its own first failure is answered with what the others have seen.
    expect((await send('die_before', second)).response.status).toBe(200)
    await expectOpen(20, second)
  })

  it('is shown by the health of its server', async () => {
    const health = await gateway.fetch('/api/v1/servers/scripted/health', rest(token, 'GET'))
    expect(await health.json()).toMatchObject({ endpoints: [{ breaker: 'open' }] })
    const other = await gateway.fetch('/api/v1/servers/other/health', rest(token, 'GET'))
    expect(await other.json()).toMatchObject({ endpoints: [{ breaker: 'closed' }] })
  })

  it('lets one call through after its time: another failure opens it for twice as long', async () => {
    clock.advance(19_500)
    await fail(1)
    await expectOpen((2 * OPEN_MS) / 1000)
  })

  it('closes when that call is answered', async () => {
    clock.advance(2 * OPEN_MS)
    expect((await send('echo')).response.status).toBe(200)
    expect((await send('echo')).response.status).toBe(200)
    await fail(1)
    expect((await send('echo')).response.status).toBe(200)
  })

  it('has said each of its changes once', () => {
    const changes = gateway.events.filter(({ type }) => type === 'breaker_changed')
    const of = { tenant: gateway.tenant, server: 'scripted', endpoint: expect.any(String) }
    expect(changes).toMatchObject([
      { ...of, phase: 'open' },
      { ...of, phase: 'half_open' },
      { ...of, phase: 'open' },
      { ...of, phase: 'half_open' },
      { ...of, phase: 'closed' },
    ])
  })
})

describe('the rate limit', () => {
  const room = scriptedRoom('limits')

  it('answers 429 with Retry-After, to this principal alone', async () => {
    const vars = { LIMIT_PRINCIPAL_PER_MINUTE: '5' }
    const clock = stoppedClock()
    const gateway = createTestGateway({ vars, seams: { clock } })
    const neighbour = createTestGateway({ vars, seams: { clock } })
    const [admin, next] = [await gateway.token(), await neighbour.token()]
    await room.register(gateway, admin)
    await room.register(neighbour, next)
    const policy = { group_mappings: { people: ['user'] } }
    const stored = await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', policy))
    expect(stored.status).toBe(200)
    const token = await gateway.token({ subject: 'ann', groups: ['people'] })
    for (let index = 0; index < 5; index += 1) {
      const response = await gateway.fetch('/scripted/mcp', echo(token))
      expect(response.status).toBe(200)
      await response.text()
    }
    gateway.work.fetches = 0
    const limited = await gateway.fetch('/scripted/mcp', echo(token))
    expect(limited.status).toBe(429)
    expect(limited.headers.get('content-type')).toBe('application/json')
    const seconds = Number(limited.headers.get('retry-after'))
    expect(seconds).toBeGreaterThanOrEqual(1)
    // At most the rest of this window, and the part of the next that frees one of five permits.
    expect(seconds).toBeLessThanOrEqual(60 + 60 / 5)
    expect(await limited.json()).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31011,
        message: `The limit of this principal is used up; try again in ${seconds} s.`,
        data: {
          code: 'rate_limited',
          fix: 'Wait for Retry-After seconds.',
          requestId: limited.headers.get('x-request-id'),
          scope: 'principal',
          retryAfterSeconds: seconds,
        },
      },
    })
    expect(gateway.work.fetches).toBe(0)

    const management = await gateway.fetch('/api/v1/me', rest(token, 'GET'))
    expect(management.status).toBe(429)
    expect(management.headers.get('content-type')).toBe('application/problem+json')
    expect(management.headers.get('retry-after')).toBe(String(seconds))
    expect(await management.json()).toMatchObject({ code: 'rate_limited', status: 429 })

    const other = await gateway.token({ subject: 'bob', groups: ['people'] })
    for (const [on, as] of [
      [gateway, other],
      [neighbour, next],
    ] as const) {
      const response = await on.fetch('/scripted/mcp', echo(as))
      expect(response.status).toBe(200)
      await response.text()
    }
  })

  it('of a tenant stops its other principals, and no other tenant', async () => {
    const vars = { LIMIT_TENANT_PER_MINUTE: '6' }
    const clock = stoppedClock()
    const gateway = createTestGateway({ vars, seams: { clock } })
    const neighbour = createTestGateway({ vars, seams: { clock } })
    const [admin, next] = [await gateway.token(), await neighbour.token()]
    await room.register(gateway, admin)
    await room.register(neighbour, next)
    for (let index = 0; index < 5; index += 1) {
      await (await gateway.fetch('/scripted/mcp', echo(admin))).text()
    }
    const limited = await gateway.fetch('/scripted/mcp', echo(admin))
    expect(limited.status).toBe(429)
    expect(await limited.json()).toMatchObject({ error: { data: { scope: 'tenant' } } })
    const served = await neighbour.fetch('/scripted/mcp', echo(next))
    expect(served.status).toBe(200)
    await served.text()
  })
})

describe('a D1 that throws', () => {
  const room = scriptedRoom('d1')

  /** The real one, until it is switched off. */
  function switchableDb() {
    const state = { isDown: false }
    const db = new Proxy(env.DB, {
      get(target, member) {
        if (state.isDown) throw new Error('D1 is down')
        const value = Reflect.get(target, member)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    return { state, db }
  }

  async function expectUnavailable(response: Response) {
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31013,
        message: 'The registry cannot be read at the moment.',
        data: {
          code: 'policy_unavailable',
          fix: 'Try again in a few seconds.',
          requestId: response.headers.get('x-request-id'),
        },
      },
    })
  }

  it('is 503 where nothing is known yet, on MCP and on REST, and says so in health', async () => {
    const { state, db } = switchableDb()
    const gateway = createTestGateway({ bindings: { DB: db } })
    const token = await gateway.token()
    await room.register(gateway, token)
    const cold = createTestGateway({ tenant: gateway.tenant, bindings: { DB: db } })
    state.isDown = true
    await expectUnavailable(await cold.fetch('/scripted/mcp', echo(token)))
    expect(cold.work.fetches).toBe(0)
    expect(cold.events.at(-1)).toMatchObject({ type: 'request', outcome: 'policy_unavailable' })
    const management = await cold.fetch('/api/v1/servers', rest(token, 'GET'))
    expect(management.status).toBe(503)
    expect(await management.json()).toMatchObject({ code: 'policy_unavailable', status: 503 })
    const health = await cold.fetch('/health')
    expect(health.status).toBe(503)
    expect(await health.json()).toEqual({ status: 'failing', d1: 'failing' })
    state.isDown = false
    const next = await cold.fetch('/scripted/mcp', echo(token))
    expect(next.status).toBe(200)
    await next.text()
  })

  it('leaves the last policy in force for a while, saying so, and then fails closed', async () => {
    const { state, db } = switchableDb()
    const clock = stoppedClock()
    const gateway = createTestGateway({
      vars: { POLICY_MAX_STALE_MS: '60000' },
      seams: { clock },
      bindings: { DB: db },
    })
    const token = await gateway.token()
    await room.register(gateway, token)
    await (await gateway.fetch('/scripted/mcp', echo(token))).text()
    const staleEvents = () => gateway.events.filter(({ type }) => type === 'stale_policy')

    state.isDown = true
    clock.advance(30_000)
    const stale = await gateway.fetch('/scripted/mcp', echo(token))
    expect(stale.status).toBe(200)
    await stale.text()
    expect(staleEvents()).toMatchObject([{ tenant: gateway.tenant, ageMs: 30_000 }])
    // A server that this isolate never asked for cannot be known to be allowed.
    await expectUnavailable(await gateway.fetch('/nonesuch/mcp', echo(token)))

    clock.advance(29_999)
    const last = await gateway.fetch('/scripted/mcp', echo(token))
    expect(last.status).toBe(200)
    await last.text()
    expect(staleEvents().at(-1)).toMatchObject({ ageMs: 59_999 })

    clock.advance(1)
    await expectUnavailable(await gateway.fetch('/scripted/mcp', echo(token)))
    state.isDown = false
    const again = await gateway.fetch('/scripted/mcp', echo(token))
    expect(again.status).toBe(200)
    await again.text()
  })
})
