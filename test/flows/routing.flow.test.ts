import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { manyServers, setProbed } from '../support/many-servers.ts'

const search = { name: 'search', description: 'Finds.', inputSchema: { type: 'object' } }
const other = { ...search, inputSchema: { type: 'object', properties: { q: {} } } }
const WISH = 'dev.gatehouse/route'
const NOTE = 'dev.gatehouse/routing'

const POLICY = {
  group_mappings: { searchers: ['searchers'] },
  searchers: ['first', 'fast', 'sick', 'changed'].map((server) => ({
    server,
    methods: ['*'],
    tools: ['search', 'lonely'],
  })),
}

const LATENCY_MS: Readonly<Record<string, number>> = { first: 180, fast: 20, sick: 1, denied: 1 }

interface Answer {
  readonly result?: {
    readonly content: readonly { readonly text: string }[]
    readonly _meta: Record<string, { server: string; candidates: { server: string }[] }>
  }
  readonly error?: { readonly code: number; readonly message: string }
}

describe('a call that names a tool and no server', () => {
  const servers = manyServers({
    first: [search],
    fast: [{ ...search, description: 'Finds as well.' }],
    sick: [search],
    denied: [search],
    changed: [other, { ...search, name: 'lonely' }],
  })
  let now = Date.now()
  /** A call takes as long as the last probe did: what an isolate measured counts more than that. */
  const taking = async (request: Request): Promise<Response> => {
    const response = await servers.fetcher(request)
    const name = new URL(request.url).hostname.split('.')[0] ?? ''
    if (request.headers.get('mcp-method') === 'tools/call') now += LATENCY_MS[name] ?? 0
    return response
  }
  let gateway: TestGateway
  let admin: string
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({
      seams: { fetcher: taking, clock: { now: () => now } },
      vars: { BREAKER_FAILURE_THRESHOLD: '2' },
    })
    admin = await gateway.token()
    token = await gateway.token({ subject: 'sue', groups: ['searchers'] })
    await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', POLICY))
    await servers.register(gateway, admin, { fast: { tags: ['quick'] } }, () => {
      now += 1
    })
    await setProbed(gateway.tenant, 'first', { health: 'healthy', latencyMs: 180 })
    await setProbed(gateway.tenant, 'fast', { health: 'healthy', latencyMs: 20 })
    await setProbed(gateway.tenant, 'sick', { health: 'unhealthy', latencyMs: 1 })
    await setProbed(gateway.tenant, 'denied', { health: 'healthy', latencyMs: 1 })
  })

  beforeEach(() => {
    servers.calls()
    gateway.events.length = 0
  })

  const call = (wish?: unknown, name = 'search', as = token, path = '/mcp') => {
    const _meta = wish === undefined ? {} : { [WISH]: wish }
    return gateway.fetch(path, modern(as, 'tools/call', { name, arguments: { n: 1 }, _meta }))
  }
  const answerOf = async (response: Promise<Response>): Promise<Answer> =>
    JSON.parse(await (await response).text())

  it('goes to the fastest healthy server of those its caller may use, and says why', async () => {
    const { result } = await answerOf(call({}))
    expect(result?.content[0]?.text).toBe('ran search')
    expect(servers.calls()).toEqual({ fast: 1 })
    expect(result?._meta[NOTE]).toEqual({
      server: 'fast',
      endpoint: expect.any(String),
      reason: 'score',
      definition: expect.stringMatching(/^[0-9a-f]{64}$/),
      candidates: [
        expect.objectContaining({ server: 'fast', reason: 'score', latencyMs: 20 }),
        expect.objectContaining({ server: 'first', reason: 'score', latencyMs: 180 }),
        expect.objectContaining({ server: 'sick', reason: 'availability', health: 'unhealthy' }),
      ],
    })
    expect(gateway.events.filter(({ type }) => type === 'request')).toMatchObject([
      { server: 'fast', tool: 'search', candidates: 3, outcome: 'ok', attempts: 1 },
    ])
  })

  it('keeps the wish to itself, and every other byte of the request', async () => {
    const params = { name: 'search', arguments: { big: 1 }, _meta: { [WISH]: {}, 'vendor/x': 1 } }
    const init = modern(token, 'tools/call', params)
    const body = String(init.body).replace('"big":1', '"big": 12345678901234567890.10')
    await (await gateway.fetch('/mcp', { ...init, body })).text()
    const sent = servers.upstreams['fast']?.seen.at(-1)
    expect(sent?.body).toContain('"arguments":{"big": 12345678901234567890.10}')
    expect(sent?.body).toContain('"vendor/x":1')
    expect(sent?.body).not.toContain(WISH)
    expect(sent?.headers.get('mcp-name')).toBe('search')
  })

  it('reads as unknown without the wish: no server captures a bare name', async () => {
    const unknown = { error: { code: -32602, message: 'Unknown tool: search' } }
    expect(await answerOf(call())).toMatchObject(unknown)
    expect(await answerOf(call({}, 'fast__search'))).toMatchObject({
      error: { message: 'Unknown tool: fast__search' },
    })
    expect(servers.calls()).toEqual({})
    const named = await answerOf(call(undefined, 'first__search'))
    expect(named.result?._meta).toBeUndefined()
    expect(servers.calls()).toEqual({ first: 1 })
  })

  it('reads alike for what nobody has and for what is hidden', async () => {
    for (const [wish, name] of [
      [{}, 'nothing'],
      [{ servers: ['denied'] }, 'search'],
      [{ servers: ['missing'] }, 'search'],
      [{ tag: 'nobody' }, 'search'],
      [{ definition: '0'.repeat(64) }, 'search'],
      [{}, 'list_servers'],
    ] as const) {
      expect(await answerOf(call(wish, name))).toMatchObject({
        error: { code: -32602, message: `Unknown tool: ${name}` },
      })
    }
    const stranger = await gateway.token({ subject: 'sam', groups: [] })
    expect(await answerOf(call({}, 'search', stranger))).toMatchObject({
      error: { message: 'Unknown tool: search' },
    })
    expect(servers.calls()).toEqual({})
  })

  it('says which scope is missing to whom the groups allow it', async () => {
    const narrow = await gateway.token({
      subject: 'sue',
      groups: ['searchers'],
      scopes: ['gatehouse:read'],
    })
    const response = await call({}, 'search', narrow)
    expect(response.status).toBe(403)
    expect(response.headers.get('www-authenticate')).toContain('insufficient_scope')
  })

  it.each([
    ['the servers that it names', { servers: ['first', 'sick'] }, 'first'],
    ['servers with a tag', { tag: 'quick' }, 'fast'],
    ['a preferred one while it is available', { prefer: ['sick', 'first'] }, 'first'],
  ])('goes to %s', async (_what, wish, server) => {
    expect((await answerOf(call(wish))).result?._meta[NOTE]?.server).toBe(server)
    expect(servers.calls()).toEqual({ [server]: 1 })
  })

  it('goes to another definition only where it is asked for', async () => {
    const { result } = await answerOf(call({ definition: 'any', servers: ['changed'] }))
    expect(result?._meta[NOTE]?.server).toBe('changed')
    // Alone there, it is the first one that has it.
    expect((await answerOf(call({}, 'lonely'))).result?._meta[NOTE]).toMatchObject({
      server: 'changed',
      reason: 'only_one',
    })
  })

  it.each([
    ['no object', 'fast'],
    ['a member that is none', { tags: ['quick'] }],
    ['a path that is none', { prefer: ['../x'] }],
    ['a definition that is none', { definition: 'abc' }],
    ['too many servers', { servers: Array.from({ length: 51 }, (_, index) => `s${index}`) }],
  ])('is refused for %s', async (_what, wish) => {
    const response = await call(wish)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: -32602 } })
    expect(servers.calls()).toEqual({})
  })

  it('is for /mcp alone: elsewhere the wish is nobody’s', async () => {
    const { result } = await answerOf(call({}, 'search', token, '/first/mcp'))
    expect(result?.content[0]?.text).toBe('ran search')
    expect(result?._meta).toBeUndefined()
    expect(servers.calls()).toEqual({ first: 1 })
  })

  it('is routed for legacy clients, in a session with each server', async () => {
    const opened = await gateway.fetch('/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    const headers = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const done = legacy(token, 'notifications/initialized', {}, headers, NOTIFICATION)
    await gateway.fetch('/mcp', done)
    const params = { name: 'search', arguments: {}, _meta: { [WISH]: {} } }
    const { result } = await answerOf(
      gateway.fetch('/mcp', legacy(token, 'tools/call', params, headers)),
    )
    expect(result).toMatchObject({
      content: [{ text: 'ran search' }],
      _meta: { [NOTE]: { server: 'fast' } },
    })
  })

  it('moves when the breaker opens, and is never sent twice', async () => {
    servers.failing.add('fast')
    for (let failure = 0; failure < 2; failure += 1) {
      expect(await answerOf(call({}))).toMatchObject({ error: { code: -31012 } })
    }
    expect(servers.calls()).toEqual({ fast: 2 })
    const { result } = await answerOf(call({}))
    expect(result?._meta[NOTE]).toMatchObject({
      server: 'first',
      reason: 'availability',
      candidates: [{ server: 'first' }, { server: 'sick' }, { server: 'fast', breaker: 'open' }],
    })
    expect(servers.calls()).toEqual({ first: 1 })
    servers.failing.delete('fast')
    now += 60_000
    await (await call({ servers: ['fast'] })).text()
    await expect
      .poll(async () => (await answerOf(call({}))).result?._meta[NOTE]?.server)
      .toBe('fast')
  })

  it('is tried elsewhere only while nothing was sent: a breaker that gives no probe', async () => {
    const state = () => ({ kind: 'open', openedAt: now - 3_600_000, openings: 1 }) as const
    const tripped = createTestGateway({
      seams: { fetcher: servers.fetcher, clock: { now: () => now } },
      vars: { BREAKER_FAILURE_THRESHOLD: '1' },
      tenant: gateway.tenant,
      bindings: {
        BREAKERS: {
          getByName: () => ({
            report: async () => ({ state: state() }),
            load: async () => ({ inFlight: 0 }),
            acquireProbe: async () => ({ state: state(), isGranted: false, retryAfterMs: 1_000 }),
          }),
        } as never,
      },
    })
    const _meta = { [WISH]: { servers: ['fast', 'sick'] } }
    const params = { name: 'search', arguments: {}, _meta }
    const ask = async (): Promise<Answer> => {
      const init = modern(token, 'tools/call', params)
      const { response, settle } = await tripped.fetchWith('/mcp', init)
      const text = await response.text()
      await settle()
      return JSON.parse(text)
    }
    servers.failing.add('fast')
    // It failed after it was sent: nobody else gets it.
    expect(await ask()).toMatchObject({ error: { code: -31012 } })
    expect(servers.calls()).toEqual({ fast: 1 })
    expect((await ask()).result?._meta[NOTE]).toMatchObject({
      server: 'sick',
      reason: 'others_unavailable',
      candidates: [{ server: 'fast', breaker: 'half_open' }, { server: 'sick' }],
    })
    expect(servers.calls()).toEqual({ sick: 1 })
    servers.failing.delete('fast')
  })

  it('gets the 503 of the best where every breaker is open', async () => {
    servers.failing.add('changed')
    for (let failure = 0; failure < 2; failure += 1) await (await call({}, 'lonely')).text()
    servers.calls()
    const response = await call({}, 'lonely')
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(servers.calls()).toEqual({})
  })

  it('finds a server that this isolate has not heard of yet, and forgets one that is off', async () => {
    const elsewhere = createTestGateway({
      seams: { fetcher: servers.fetcher, clock: { now: () => now } },
      tenant: gateway.tenant,
    })
    const there = async () =>
      answerOf(
        elsewhere.fetch(
          '/mcp',
          modern(admin, 'tools/call', { name: 'late', arguments: {}, _meta: { [WISH]: {} } }),
        ),
      )
    expect(await there()).toMatchObject({ error: { message: 'Unknown tool: late' } })
    const late = manyServers({ late: [{ ...search, name: 'late' }] })
    Object.assign(servers.upstreams, late.upstreams)
    await late.register(gateway, admin)
    expect(await there()).toMatchObject({ result: { content: [{ text: 'ran late' }] } })
    await gateway.fetch('/api/v1/servers/late/toggle', rest(admin, 'POST', { enabled: false }))
    now += 5_000
    expect(await there()).toMatchObject({ error: { message: 'Unknown tool: late' } })
  })

  it('costs one fetch and no D1 in steady state', async () => {
    const steady = createTestGateway({
      seams: { fetcher: servers.fetcher, clock: { now: () => now } },
      tenant: gateway.tenant,
    })
    const caller = await steady.token({ subject: 'steady', groups: ['searchers'] })
    const once = async () => {
      const params = { name: 'search', arguments: {}, _meta: { [WISH]: { servers: ['first'] } } }
      const { response, settle } = await steady.fetchWith(
        '/mcp',
        modern(caller, 'tools/call', params),
      )
      expect(await response.text()).toContain(NOTE)
      await settle()
    }
    for (let warmUp = 0; warmUp < 3; warmUp += 1) await once()
    Object.assign(steady.work, { fetches: 0, d1: 0, objects: 0 })
    for (let index = 0; index < 50; index += 1) await once()
    expect(steady.work).toMatchObject({ fetches: 50, d1: 0 })
    expect(steady.work.objects).toBeLessThanOrEqual(3)
  })
})
