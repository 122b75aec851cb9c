import { beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { manyServers, setProbed } from '../support/many-servers.ts'

const tool = (name: string, properties = {}) => ({
  name,
  description: name,
  inputSchema: { type: 'object', properties },
})

const lists = (servers: string[]) => ({
  list_service: servers,
})
const POLICY = {
  'UI-Scopes': { finders: lists(['all']), few: lists(['slow']), powerless: {} },
  group_mappings: {
    finders: ['finders'],
    few: ['few'],
    powerless: ['powerless'],
    callers: ['callers'],
  },
  finders: ['slow', 'quick', 'another'].map((server) => ({
    server,
    methods: ['*'],
    tools: ['search', 'buy', 'x'],
  })),
  few: ['slow', 'quick'].map((server) => ({ server, methods: ['*'], tools: ['*'] })),
  powerless: [{ server: '*', methods: ['*'], tools: ['*'] }],
  callers: [
    { server: 'mcpgw', methods: ['*'], tools: ['proxy_request'] },
    { server: 'slow', methods: ['*'], tools: ['search'] },
    { server: 'quick', methods: ['*'], tools: ['search'] },
  ],
}

describe('capability discovery', () => {
  const servers = manyServers({
    slow: [tool('search'), tool('buy')],
    quick: [tool('search')],
    another: [tool('search', { q: { type: 'string' } }), tool('x')],
    secret: [tool('search'), tool('hidden')],
  })
  let now = Date.now()
  let gateway: TestGateway
  let admin: string
  let finder: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher: servers.fetcher, clock: { now: () => now } } })
    admin = await gateway.token()
    finder = await gateway.token({ subject: 'finn', groups: ['finders'] })
    await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', POLICY))
    await servers.register(gateway, admin, { quick: { tags: ['fast'] } }, () => {
      now += 1
    })
    await setProbed(gateway.tenant, 'slow', { latencyMs: 900 })
    await setProbed(gateway.tenant, 'quick', { latencyMs: 15 })
  })

  const get = async (query: string, as = finder, kind = 'tools') => {
    const init = as === '' ? {} : rest(as, 'GET')
    const response = await gateway.fetch(`/api/v1/discovery/${kind}${query}`, init)
    return { status: response.status, body: await response.json<Record<string, unknown>>() }
  }

  it('says who has a tool in the order of the router, with scores and reasons', async () => {
    const { status, body } = await get('?name=search')
    expect(status).toBe(200)
    expect(body).toEqual({
      tools: [
        {
          name: 'search',
          definition: expect.stringMatching(/^[0-9a-f]{64}$/),
          servers: [
            {
              server: 'quick',
              as: 'quick__search',
              score: expect.any(Number),
              reason: 'score',
              health: 'healthy',
              breaker: 'closed',
              latencyMs: 15,
            },
            expect.objectContaining({ server: 'slow', latencyMs: 900, reason: 'score' }),
          ],
          others: [expect.objectContaining({ server: 'another', as: 'another__search' })],
        },
      ],
    })
  })

  it('lists all of them by name, a page at a time', async () => {
    const names: unknown[] = []
    let cursor: unknown
    for (let page = 0; page < 5; page += 1) {
      const { body } = await get(`?limit=1${cursor ? `&cursor=${cursor}` : ''}`)
      const tools = body['tools'] as { name: string }[]
      expect(tools.length).toBeLessThanOrEqual(1)
      names.push(...tools.map(({ name }) => name))
      cursor = body['nextCursor']
      if (cursor === undefined) break
    }
    expect(names).toEqual(['buy', 'search', 'x'])
    const first = await get('?limit=1')
    for (const query of ['?limit=1&text=s', '?tag=fast']) {
      const foreign = await get(`${query}&cursor=${first.body['nextCursor']}`)
      expect(foreign).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } })
    }
    const other = await get(`?limit=1&cursor=${first.body['nextCursor']}`, admin)
    expect(other).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } })
  })

  it.each([
    ['?tag=fast', [['search', 'quick']]],
    ['?tag=none', []],
    ['?text=EAR', [['search', 'quick']]],
    ['?text=zzz', []],
    ['?name=search&text=zzz', []],
    ['?name=hidden', []],
    ['?name=nothing', []],
  ])('finds by %s', async (query, expected) => {
    const { body } = await get(query)
    const tools = body['tools'] as { name: string; servers: { server: string }[] }[]
    expect(tools.map(({ name, servers: [first] }) => [name, first?.server])).toEqual(expected)
  })

  it('finds resources, of which the fakes have none', async () => {
    expect(await get('?uri=file:///a', finder, 'resources')).toEqual({
      status: 200,
      body: { resources: [] },
    })
  })

  it('never tells of what its reader may not list or not call', async () => {
    const few = await gateway.token({ subject: 'fay', groups: ['few'] })
    const { body } = await get('', few)
    expect(JSON.stringify(body)).not.toMatch(/quick|another|secret|hidden/)
    const all = await get('')
    expect(JSON.stringify(all.body)).not.toMatch(/secret|hidden/)
    expect(JSON.stringify((await get('', admin)).body)).toContain('hidden')
  })

  it('is for those who may list, with the scope to read', async () => {
    for (const kind of ['tools', 'resources']) {
      expect(await get('', '', kind)).toMatchObject({ status: 401 })
      const powerless = await gateway.token({ subject: 'pat', groups: ['powerless'] })
      expect(await get('', powerless, kind)).toMatchObject({
        status: 403,
        body: { code: 'forbidden', permission: 'list_service' },
      })
      const callOnly = { subject: 'finn', groups: ['finders'], scopes: ['gatehouse:call'] }
      expect(await get('', await gateway.token(callOnly), kind)).toMatchObject({
        status: 403,
        body: { code: 'insufficient_scope' },
      })
      const readOnly = { ...callOnly, scopes: ['gatehouse:read'] }
      expect(await get('', await gateway.token(readOnly), kind)).toMatchObject({ status: 200 })
    }
  })

  it('shows nothing of another tenant', async () => {
    const other = createTestGateway({ seams: { fetcher: servers.fetcher } })
    const token = await other.token()
    const found = await other.fetch('/api/v1/discovery/tools', rest(token, 'GET'))
    expect(await found.json()).toEqual({ tools: [] })
  })

  it.each([
    '?limit=0',
    '?limit=101',
    '?nam=search',
    '?name=',
    `?name=${'x'.repeat(2_049)}`,
    `?text=${'x'.repeat(101)}`,
    '?cursor=wrong',
    '?name=a&name=b',
  ])('refuses %s', async (query) => {
    expect(await get(query)).toMatchObject({ status: 400 })
  })

  it('is described by the OpenAPI document', async () => {
    const document = await (await gateway.fetch('/openapi.json')).json<{
      paths: Record<string, { get?: { operationId: string } }>
    }>()
    expect(document.paths['/discovery/tools']?.get?.operationId).toBe('findTools')
    expect(document.paths['/discovery/resources']?.get?.operationId).toBe('findResources')
  })

  it('is how proxy_request chooses, and it says so', async () => {
    const caller = await gateway.token({ subject: 'cal', groups: ['callers'] })
    const proxy = async (args: object) => {
      const params = { name: 'proxy_request', arguments: args }
      const response = await gateway.fetch('/mcp', modern(caller, 'tools/call', params))
      return (await response.json<{ result: Record<string, unknown> }>()).result
    }
    const params = { name: 'search', arguments: {} }
    expect(await proxy({ params })).toMatchObject({
      isError: false,
      structuredContent: {
        server: 'quick',
        routing: {
          server: 'quick',
          reason: 'score',
          endpoint: expect.any(String),
          candidates: [{ server: 'quick' }, { server: 'slow' }],
        },
        result: { content: [{ text: 'ran search' }] },
      },
    })
    const listed = await proxy({ method: 'tools/list', route: { tag: 'fast' } })
    expect(listed).toMatchObject({
      structuredContent: { server: 'quick', result: { tools: [{}] } },
    })
    for (const [args, text] of [
      [{ params: { name: 'hidden' } }, 'There is no server that has the tool \\"hidden\\".'],
      [{ params: { name: 'nothing' } }, 'There is no server that has the tool \\"nothing\\".'],
      [{ params, route: { tag: 'wet' } }, 'has the tool \\"search\\" and the tag \\"wet\\".'],
      [
        { params, route: { servers: ['none'], definition: 'a'.repeat(64) } },
        'has the tool \\"search\\" in that definition, among those that route.servers names.',
      ],
      [{ method: 'tools/list' }, 'server: must be given'],
    ] as const) {
      const refused = await proxy(args)
      expect(refused['isError']).toBe(true)
      expect(JSON.stringify(refused)).toContain(text)
    }
  })
})
