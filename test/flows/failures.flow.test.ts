import { env } from 'cloudflare:workers'
import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestGateway, legacy, modern, rest, type TestGateway } from '../support/gateway.ts'

interface Logged {
  readonly httpMethod: string
  readonly path: string
  readonly body: string
}

const origin = () => inject('scriptedOrigin')

async function upstreamLog(): Promise<Logged[]> {
  const response = await fetch(`${origin()}/log`)
  const { log } = (await response.json()) as { log: Logged[] }
  return log
}

async function register(gateway: TestGateway, token: string, body: object): Promise<void> {
  const response = await gateway.fetch(
    '/api/v1/servers',
    rest(token, 'POST', {
      path: 'scripted',
      name: 'Scripted',
      endpoints: [{ url: `${origin()}/modern` }],
      ...body,
    }),
  )
  expect(response.status).toBe(201)
}

const call = (token: string, name: string, args: object = {}) =>
  modern(token, 'tools/call', { name, arguments: args }, {}, 'mine')

const echo = (token: string) => call(token, 'echo', { message: 'hi' })

describe('an upstream that fails', () => {
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ vars: { BREAKER_FAILURE_THRESHOLD: '1000' } })
    token = await gateway.token()
    await register(gateway, token, { timeoutMs: 1_000 })
  })

  beforeEach(async () => {
    await upstreamLog()
  })

  const lost = 'The connection to the server "scripted" failed or was closed before it answered.'
  const brokenOff = 'The server "scripted" closed the connection before its answer was complete.'
  const refused = (status: number) =>
    `The server "scripted" refused the gateway's credentials (HTTP ${status}).`
  const noAnswer = (status: number) =>
    `The server "scripted" answered with HTTP ${status}, which is not an MCP answer.`

  it.each<[string, string, object, string]>([
    ['dies before its headers', 'die_before', {}, lost],
    ['dies in the middle of its JSON', 'die_mid_json', {}, brokenOff],
    ['answers with nothing', 'empty', {}, brokenOff],
    ['answers with HTML', 'html', {}, noAnswer(200)],
    ['answers 500', 'status', { status: 500 }, noAnswer(500)],
    ['answers 502', 'status', { status: 502 }, noAnswer(502)],
    ['answers 405', 'status', { status: 405 }, noAnswer(405)],
    ['answers 401', 'status', { status: 401 }, refused(401)],
    ['answers 403', 'status', { status: 403 }, refused(403)],
    [
      'redirects',
      'redirect',
      {},
      'The server "scripted" answered with a redirect, which is never followed.',
    ],
  ])('and %s costs its caller one clean error', async (_how, tool, args, message) => {
    const response = await gateway.fetch('/scripted/mcp', call(token, tool, args))
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('www-authenticate')).toBeNull()
    const body = await response.text()
    expect(JSON.parse(body)).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31012,
        message,
        data: {
          code: 'upstream_failed',
          fix: expect.any(String),
          requestId: response.headers.get('x-request-id'),
        },
      },
    })
    expect(body).not.toContain(origin())
    expect(
      (await upstreamLog()).filter(({ body: sent }) => sent.includes('tools/call')),
    ).toHaveLength(1)
    const next = await gateway.fetch('/scripted/mcp', echo(token))
    expect(next.status).toBe(200)
    expect(await next.text()).toContain('hi')
  })

  it.each(['die_mid_sse', 'sse_no_answer'])(
    "and ends a stream without its answer (%s): the stream ends with the error, under the client's id",
    async (tool) => {
      const response = await gateway.fetch('/scripted/mcp', call(token, tool))
      expect(response.status).toBe(200)
      const events = (await response.text()).trim().split('\n\n')
      expect(events[0]).toContain('notifications/message')
      expect(JSON.parse(events.at(-1)?.split('data: ')[1] ?? '')).toMatchObject({
        jsonrpc: '2.0',
        id: 'mine',
        error: { code: -31012, message: brokenOff },
      })
    },
  )

  it('and falls silent is given up after its timeout', async () => {
    const response = await gateway.fetch('/scripted/mcp', call(token, 'hang'))
    const last = (await response.text()).trim().split('\n\n').at(-1)
    expect(JSON.parse(last?.split('data: ')[1] ?? '')).toMatchObject({
      id: 'mine',
      error: { data: { code: 'upstream_failed' } },
    })
  })

  it('and never sends headers is a timeout', async () => {
    const slow = createTestGateway({
      seams: {
        fetcher: (request) =>
          request.url.endsWith('/modern') && request.headers.get('mcp-name') === 'echo'
            ? new Promise((_resolve, reject) => {
                request.signal.addEventListener('abort', () => reject(new Error('aborted')))
              })
            : fetch(request),
      },
    })
    const own = await slow.token()
    await register(slow, own, { timeoutMs: 1_000 })
    const response = await slow.fetch('/scripted/mcp', echo(own))
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      id: 'mine',
      error: {
        code: -31015,
        message: 'The server "scripted" did not answer within 1000 ms.',
        data: { code: 'upstream_timeout' },
      },
    })
  })

  it('is not called any more when its address became a forbidden one', async () => {
    const moved = createTestGateway()
    const own = await moved.token()
    await register(moved, own, {})
    await env.DB.prepare('update endpoints set url = ? where tenant = ?')
      .bind('http://169.254.169.254/mcp', moved.tenant)
      .run()
    const fresh = createTestGateway({ tenant: moved.tenant })
    const response = await fresh.fetch('/scripted/mcp', echo(own))
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      error: { message: expect.stringContaining('is not allowed; the request was not sent') },
    })
    expect(fresh.work.fetches).toBe(0)
  })
})

describe('a retry', () => {
  /** Fails every request for `method` and counts them. */
  function failing(method: string) {
    const seen: string[] = []
    const fetcher = async (request: Request) => {
      const text = await request.clone().text()
      if (
        !text.includes(`"method":"${method}"`) ||
        (!seen.length && text.includes('"id":"warm"'))
      ) {
        return fetch(request)
      }
      seen.push(text)
      throw new Error('Network connection lost.')
    }
    return { seen, fetcher }
  }

  it('is never made for a tool, whatever became of the call', async () => {
    const { seen, fetcher } = failing('tools/call')
    const gateway = createTestGateway({ seams: { fetcher } })
    const token = await gateway.token()
    await register(gateway, token, {})
    const response = await gateway.fetch('/scripted/mcp', echo(token))
    expect(await response.json()).toMatchObject({ error: { data: { code: 'upstream_failed' } } })
    expect(seen).toHaveLength(1)
  })

  it('is made once for a read-only tool on a server whose annotations are trusted', async () => {
    const { seen, fetcher } = failing('tools/call')
    const gateway = createTestGateway({ seams: { fetcher } })
    const token = await gateway.token()
    await register(gateway, token, { trustAnnotations: true })
    await (await gateway.fetch('/scripted/mcp', echo(token))).text()
    expect(seen).toHaveLength(2)
    await (await gateway.fetch('/scripted/mcp', call(token, 'exotic'))).text()
    expect(seen).toHaveLength(3)
  })

  it('is made once for a read', async () => {
    const { seen, fetcher } = failing('resources/read')
    const gateway = createTestGateway({ seams: { fetcher } })
    const token = await gateway.token()
    await register(gateway, token, {})
    const read = modern(token, 'resources/read', { uri: 'test://x' })
    await (await gateway.fetch('/scripted/mcp', read)).text()
    expect(seen).toHaveLength(2)
  })
})

describe('the breaker', () => {
  it('opens after the failures it was told, answers without a fetch, and tries again later', async () => {
    let now = Date.now()
    let isDown = true
    const gateway = createTestGateway({
      seams: {
        clock: { now: () => now },
        fetcher: async (request) => {
          if (isDown && request.headers.get('mcp-name') === 'echo') throw new Error('down')
          return fetch(request)
        },
      },
    })
    const token = await gateway.token()
    await register(gateway, token, {})
    const send = async () => {
      const { response, settle } = await gateway.fetchWith('/scripted/mcp', echo(token))
      const text = await response.text()
      await settle()
      return { response, body: JSON.parse(text) }
    }
    for (let failure = 0; failure < 5; failure += 1) {
      expect((await send()).body).toMatchObject({ error: { data: { code: 'upstream_failed' } } })
    }
    gateway.work.fetches = 0
    const refused = await send()
    expect(refused.response.status).toBe(503)
    expect(refused.response.headers.get('retry-after')).toBe('30')
    expect(refused.body).toMatchObject({
      id: 'mine',
      error: { code: -31014, data: { code: 'upstream_unavailable', retryAfterSeconds: 30 } },
    })
    expect(gateway.work.fetches).toBe(0)
    now += 30_001
    isDown = false
    expect((await send()).response.status).toBe(200)
    expect((await send()).response.status).toBe(200)
  })
})

describe('the rate limit', () => {
  it('answers 429 with Retry-After, to this principal alone', async () => {
    const clock = { now: () => 1_800_000_000_000 }
    const gateway = createTestGateway({
      vars: { LIMIT_PRINCIPAL_PER_MINUTE: '5' },
      seams: { clock },
    })
    const admin = await gateway.token()
    await register(gateway, admin, {})
    const policy = { group_mappings: { people: ['user'] } }
    await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', policy))
    const token = await gateway.token({ subject: 'ann', groups: ['people'] })
    for (let index = 0; index < 5; index += 1) {
      const response = await gateway.fetch('/scripted/mcp', echo(token))
      expect(response.status).toBe(200)
      await response.text()
    }
    gateway.work.fetches = 0
    const limited = await gateway.fetch('/scripted/mcp', echo(token))
    expect(limited.status).toBe(429)
    const seconds = Number(limited.headers.get('retry-after'))
    expect(seconds).toBeGreaterThanOrEqual(1)
    expect(await limited.json()).toMatchObject({
      id: 'mine',
      error: {
        code: -31011,
        data: { code: 'rate_limited', scope: 'principal', retryAfterSeconds: seconds },
      },
    })
    expect(gateway.work.fetches).toBe(0)
    const management = await gateway.fetch('/api/v1/me', rest(token, 'GET'))
    expect(management.status).toBe(429)
    expect(management.headers.get('content-type')).toBe('application/problem+json')
    expect(await management.json()).toMatchObject({ code: 'rate_limited', status: 429 })
    const other = await gateway.token({ subject: 'bob', groups: ['people'] })
    const response = await gateway.fetch('/scripted/mcp', echo(other))
    expect(response.status).toBe(200)
    await response.text()
  })
})

describe('a D1 that throws', () => {
  const broken = new Proxy({} as D1Database, {
    get: () => () => {
      throw new Error('D1 is down')
    },
  })

  it('is 503 where nothing is known yet, on MCP and on REST', async () => {
    const gateway = createTestGateway({ bindings: { DB: broken } })
    const token = await gateway.token()
    const mcp = await gateway.fetch('/scripted/mcp', echo(token))
    expect(mcp.status).toBe(503)
    expect(await mcp.json()).toMatchObject({
      id: 'mine',
      error: { code: -31013, data: { code: 'policy_unavailable' } },
    })
    const management = await gateway.fetch('/api/v1/servers', rest(token, 'GET'))
    expect(management.status).toBe(503)
    expect(await management.json()).toMatchObject({ code: 'policy_unavailable' })
    const health = await gateway.fetch('/health')
    expect(health.status).toBe(503)
    expect(await health.json()).toEqual({ status: 'failing', d1: 'failing' })
  })

  it('leaves the last policy in force for a while, saying so, and then fails closed', async () => {
    let now = Date.now()
    let isDown = false
    const db = new Proxy(env.DB, {
      get(target, member) {
        if (isDown) throw new Error('D1 is down')
        const value = Reflect.get(target, member)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const gateway = createTestGateway({
      vars: { POLICY_MAX_STALE_MS: '60000' },
      seams: { clock: { now: () => now } },
      bindings: { DB: db },
    })
    const token = await gateway.token()
    await register(gateway, token, {})
    const first = await gateway.fetch('/scripted/mcp', echo(token))
    await first.text()
    isDown = true
    now += 30_000
    const stale = await gateway.fetch('/scripted/mcp', echo(token))
    expect(stale.status).toBe(200)
    await stale.text()
    expect(gateway.events.filter(({ type }) => type === 'stale_policy')).toMatchObject([
      { tenant: gateway.tenant, ageMs: 30_000 },
    ])
    now += 31_000
    const closed = await gateway.fetch('/scripted/mcp', echo(token))
    expect(closed.status).toBe(503)
    expect(await closed.json()).toMatchObject({ error: { data: { code: 'policy_unavailable' } } })
    isDown = false
    const again = await gateway.fetch('/scripted/mcp', echo(token))
    expect(again.status).toBe(200)
    await again.text()
  })
})

describe('a legacy call', () => {
  it('gets the same clean errors', async () => {
    const gateway = createTestGateway()
    const token = await gateway.token()
    await register(gateway, token, { path: 'relic', endpoints: [{ url: `${origin()}/dual` }] })
    const opened = await gateway.fetch(
      '/relic/mcp',
      legacy(token, 'initialize', {
        protocolVersion: '2025-06-18',
        capabilities: {},
        clientInfo: { name: 'c', version: '1' },
      }),
    )
    await opened.text()
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    const dead = await gateway.fetch(
      '/relic/mcp',
      legacy(token, 'tools/call', { name: 'die_before', arguments: {} }, headers, 3),
    )
    expect(dead.status).toBe(200)
    expect(await dead.json()).toMatchObject({
      id: 3,
      error: { code: -31012, data: { code: 'upstream_failed' } },
    })
  })
})
