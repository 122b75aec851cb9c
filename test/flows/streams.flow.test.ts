import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

type Headers = Readonly<Record<string, string>>

describe('the stream of a legacy session', () => {
  const room = scriptedRoom('streams')
  let now = Date.now()
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { clock: { now: () => now } } })
    token = await gateway.token({ ttlSeconds: 10 * 86_400 })
    await room.register(gateway, token, { endpoints: [{ url: room.url('dual') }] })
    const endpoints = [{ url: room.url('modern') }]
    await room.register(gateway, token, { path: 'modern-only', endpoints })
    const both = [{ url: room.url('dual') }]
    await room.register(gateway, token, { path: 'other', endpoints: both })
  })

  beforeEach(async () => {
    await room.control({ closeStreams: true })
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    gateway.events.length = 0
  })

  async function open(path = 'scripted', version = '2025-11-25'): Promise<Headers> {
    const init = legacy(token, 'initialize', hello(version))
    const opened = await gateway.fetch(`/${path}/mcp`, init)
    await opened.text()
    const id = opened.headers.get('mcp-session-id') ?? ''
    return { 'mcp-session-id': id, 'mcp-protocol-version': version }
  }

  const get = (headers: Headers, path = 'scripted', as = token) =>
    gateway.fetch(`/${path}/mcp`, {
      headers: { authorization: `Bearer ${as}`, accept: 'text/event-stream', ...headers },
    })
  const post = (name: string, headers: Headers, id: unknown = 'mine') =>
    gateway.fetch(
      '/scripted/mcp',
      legacy(token, 'tools/call', { name, arguments: {} }, headers, id),
    )
  const lines = () => gateway.events.filter(({ type }) => type === 'request')

  it('carries what its server sends, byte for byte, and ends with it', async () => {
    const session = await open()
    await room.log()
    gateway.events.length = 0
    const response = await get(session)
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const events = readEvents(response)
    const asked = 'data: {"jsonrpc":"2.0", "id":1.0,"method":"ping"}'
    const told =
      'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/x","params":{"n":1.0}}'
    await room.control({ say: `${asked}\n\n${told}\n\n` })
    expect(await events.next()).toBe(asked)
    expect(await events.next()).toBe(told)
    expect(lines()).toEqual([])
    await room.control({ closeStreams: true })
    expect(await events.next()).toBeUndefined()
    await expect
      .poll(lines)
      .toMatchObject([{ server: 'scripted', era: 'legacy', outcome: 'ok', status: 200 }])

    const [sent] = (await room.log()).log
    expect(sent).toMatchObject({ httpMethod: 'GET', body: '' })
    expect(sent?.headers).toMatchObject({
      accept: 'text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': expect.stringMatching(/^upstream-/),
    })
    expect(sent?.headers).not.toHaveProperty('content-type')
    expect(sent?.headers).not.toHaveProperty('authorization')
  })

  it('carries no responses: nothing was asked there', async () => {
    const events = readEvents(await get(await open()))
    const answer = 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'
    const error = 'data: {"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}\n\n'
    const large = `data: {"jsonrpc":"2.0","result":{"a":"${'x'.repeat(300_000)}"},"id":1}\n\n`
    const told = 'data: {"jsonrpc":"2.0","method":"notifications/x"}'
    await room.control({ say: `${answer}${error}${large}data: {bad\n\n${told}\n\n` })
    expect(await events.next()).toBe(told)
    await events.cancel()
  })

  it('may be opened several times; each carries its own', async () => {
    const session = await open()
    const streams = [readEvents(await get(session)), readEvents(await get(session))]
    await room.control({ say: 'data: {"jsonrpc":"2.0","method":"notifications/{n}"}\n\n' })
    const told = await Promise.all(streams.map((stream) => stream.next()))
    expect(told.map((event) => /notifications\/\d/.exec(event ?? '')?.[0]).sort()).toEqual([
      'notifications/0',
      'notifications/1',
    ])
    await streams[0]?.cancel()
    await expect.poll(async () => (await room.log()).streams).toBe(1)
    await room.control({ say: 'data: {"jsonrpc":"2.0","method":"notifications/last"}\n\n' })
    expect(await streams[1]?.next()).toContain('notifications/last')
    await streams[1]?.cancel()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
  })

  // req: session-get-404
  it.each<[string, () => Promise<Response>, number, object]>([
    ['without a session', () => get({}), 400, { code: -32600, data: { code: 'session_required' } }],
    [
      'in an unknown session',
      () => get({ 'mcp-session-id': 'made-up' }),
      404,
      { code: -31005, data: { code: 'session_not_found' } },
    ],
    [
      'in a session of another server',
      async () => get(await open('other')),
      404,
      { code: -31005, data: { code: 'session_not_found' } },
    ],
    [
      'in the modern era',
      async () => get({ ...(await open()), 'mcp-protocol-version': '2026-07-28' }),
      405,
      { code: -31007, data: { code: 'method_not_allowed' } },
    ],
    [
      'of a modern server',
      () => get({}, 'modern-only'),
      405,
      { code: -31007, data: { code: 'method_not_allowed' } },
    ],
    [
      'under an unknown version',
      async () => get({ ...(await open()), 'mcp-protocol-version': '2024-01-01' }),
      400,
      { code: -32022, data: { code: 'unsupported_version' } },
    ],
    [
      'for a client that takes no events',
      async () => get({ ...(await open()), accept: 'application/json' }),
      406,
      { code: -32600, data: { code: 'not_acceptable' } },
    ],
    ['of an unknown server', () => get({}, 'nobody'), 404, { data: { code: 'not_found' } }],
  ])('is not opened %s', async (_what, send, status, error) => {
    const response = await send()
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error })
    if (status === 405) expect(response.headers.get('allow')).toBe('POST, DELETE')
    expect((await room.log()).streams).toBe(0)
  })

  it('is not opened in the session of another user', async () => {
    const response = await get(
      await open(),
      'scripted',
      await gateway.token({ subject: 'mallory' }),
    )
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ error: { data: { code: 'session_not_found' } } })
  })

  it('is 405 where its server gives none', async () => {
    const session = await open()
    await room.control({ offersStreams: false })
    const response = await get(session)
    await room.control({ offersStreams: true })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('POST, DELETE')
    expect(await response.json()).toMatchObject({ error: { data: { code: 'method_not_allowed' } } })
  })

  it('is opened in a new session when its server forgot the old one', async () => {
    const session = await open()
    await room.control({ forgetStatus: 404 })
    const events = readEvents(await get(session))
    await room.control({ say: 'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n' })
    expect(await events.next()).toContain('notifications/x')
    expect((await post('echo', session)).status).toBe(200)
    await events.cancel()
  })

  describe('that is resumed', () => {
    const idOf = (event: string | undefined) => /^id: (.+)$/m.exec(event ?? '')?.[1] ?? ''

    /** The id of an event on a GET stream, as the client has it. */
    async function eventId(session: Headers): Promise<string> {
      const events = readEvents(await get(session))
      await room.control({
        say: 'id: theirs\ndata: {"jsonrpc":"2.0","method":"notifications/x"}\n\n',
      })
      const id = idOf(await events.next())
      await events.cancel()
      return id
    }

    // req: event-id-names-stream
    it("goes on where its client left it: the event id is its server's, sealed", async () => {
      const session = await open()
      const id = await eventId(session)
      expect(id).toMatch(/^[\w.-]+$/)
      await room.log()
      const events = readEvents(await get({ ...session, 'last-event-id': id }))
      const [sent] = (await room.log()).log
      expect(sent?.headers['last-event-id']).toBe('theirs')
      await events.cancel()
    })

    // req: resume-bound-to-stream
    // req: resume-unknown-event
    it.each<[string, (id: string, session: Headers) => Promise<Response> | Response]>([
      ['made up', (_id, session) => get({ ...session, 'last-event-id': 'made-up' })],
      ["the server's own", (_id, session) => get({ ...session, 'last-event-id': 'theirs' })],
      [
        'tampered with',
        (id, session) =>
          get({
            ...session,
            'last-event-id': `${id.slice(0, -2)}${id.endsWith('AA') ? 'BB' : 'AA'}`,
          }),
      ],
      ['of another session', async (id) => get({ ...(await open()), 'last-event-id': id })],
      [
        'of another server',
        async (id) => get({ ...(await open('other')), 'last-event-id': id }, 'other'),
      ],
      [
        'a day old',
        async (id) => {
          now += 24 * 3_600_000
          return get({ ...(await open()), 'last-event-id': id })
        },
      ],
    ])('by an event id that is %s is not: 400, in the same words', async (_what, send) => {
      const session = await open()
      const id = await eventId(session)
      await room.log()
      const response = await send(id, session)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        id: null,
        error: {
          code: -32602,
          message: 'There is no such event in this session.',
          data: { code: 'unknown_event' },
        },
      })
      expect((await room.log()).log.filter(({ httpMethod }) => httpMethod === 'GET')).toEqual([])
    })

    it('may be the rest of an answer, which keeps the id of its request', async () => {
      const session = await open()
      const started = await post('sse_poll', session, 'ü')
      const [priming = '', ...rest] = (await started.text()).split('\n\n')
      expect(rest).toEqual([''])
      expect(priming).toMatch(/^retry: 10\nid: [\w.-]+\ndata: $|^id: [\w.-]+\nretry: 10\ndata: $/)
      expect(lines().at(-1)).toMatchObject({ tool: 'sse_poll', outcome: 'ok', status: 200 })

      // Meanwhile it still runs: a cancel finds it.
      await room.log()
      const params = { requestId: 'ü' }
      const note = legacy(token, 'notifications/cancelled', params, session, NOTIFICATION)
      expect((await gateway.fetch('/scripted/mcp', note)).status).toBe(202)
      const cancels = (await room.log()).log.map(({ body }) => JSON.parse(body).params.requestId)
      expect(cancels).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)])

      const resumed = await get({ ...session, 'last-event-id': idOf(priming) })
      const events = (await resumed.text()).split('\n\n')
      expect(events).toHaveLength(2)
      expect(events[0]).toMatch(
        /^id: [\w.-]+\ndata: \{"jsonrpc":"2\.0","id":"ü","result":\{"content":\[\]\}\}$/,
      )
    })
  })

  // req: priming-by-version
  it('has event ids for POST as well, and a priming event for those who know it', async () => {
    const withIds = await (await post('sse_ids', await open())).text()
    expect(withIds.match(/^id: /gm)).toHaveLength(2)
    expect(withIds).not.toContain('first')
    expect(withIds).toContain('\ndata: \n\n')
    const older = await (await post('sse_ids', await open('scripted', '2025-06-18'))).text()
    expect(older).toMatch(/^id: [\w.-]+\ndata: \{.*"id":"mine".*\}\n\n$/)
  })

  it('is no business of a modern client, which sends what it likes', async () => {
    const session = await open()
    const init = modern(
      token,
      'tools/list',
      {},
      { ...session, 'mcp-protocol-version': '2026-07-28' },
    )
    expect((await gateway.fetch('/scripted/mcp', init)).status).toBe(200)
  })
})

describe('the stream of a client whose rights change (DESIGN.md, Decision 4)', () => {
  const room = scriptedRoom('streams-rights')
  const TOLD = 'data: {"jsonrpc":"2.0","method":"notifications/x"}'
  const POLICY = {
    group_mappings: { clerks: ['clerk'] },
    clerk: [{ server: 'scripted', methods: ['*'], tools: ['*'] }],
  }

  /** A stream of a clerk on one isolate; the administrator is on another. */
  async function listening(ttlSeconds = 3_600) {
    let now = Date.now()
    const seams = { clock: { now: () => now } }
    const here = createTestGateway({ seams })
    const there = createTestGateway({ seams, tenant: here.tenant })
    const admin = await there.token()
    const change = async (method: string, path: string, body: unknown) => {
      const changed = await there.fetch(`/api/v1${path}`, rest(admin, method, body))
      expect(changed.ok).toBe(true)
    }
    await change('PUT', '/policy', POLICY)
    await room.register(there, admin, { endpoints: [{ url: room.url('dual') }] })
    const clerk = await here.token({ subject: 'cleo', groups: ['clerks'], ttlSeconds })
    const opened = await here.fetch('/scripted/mcp', legacy(clerk, 'initialize', hello()))
    await opened.text()
    const response = await here.fetch('/scripted/mcp', {
      headers: {
        authorization: `Bearer ${clerk}`,
        accept: 'text/event-stream',
        'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      },
    })
    expect(response.status).toBe(200)
    const events = readEvents(response)
    await room.control({ say: `${TOLD}\n\n` })
    expect(await events.next()).toBe(TOLD)
    const advance = (ms: number) => {
      now += ms
    }
    return { here, change, events, advance }
  }

  it('asks D1 once in a while, and not for every event', async () => {
    const { here, events, advance } = await listening()
    here.work.d1 = 0
    for (let times = 0; times < 20; times += 1) {
      await room.control({ say: `${TOLD}\n\n` })
      expect(await events.next()).toBe(TOLD)
    }
    expect(here.work.d1).toBe(0)
    advance(6_000)
    await room.control({ say: `${TOLD}\n\n` })
    expect(await events.next()).toBe(TOLD)
    // The generation, which has not changed: `prepare` and the read.
    expect(here.work.d1).toBeLessThanOrEqual(2)
    await events.cancel()
  })

  it.each<[string, string, string, unknown]>([
    ['its server is disabled', 'POST', '/servers/scripted/toggle', { enabled: false }],
    ['its server is deleted', 'DELETE', '/servers/scripted', undefined],
    ['its server is hidden', 'PATCH', '/servers/scripted', { visibility: 'private' }],
    ['the grant is taken away', 'PUT', '/policy', { ...POLICY, group_mappings: { clerks: [] } }],
  ])('says nothing more when %s on another isolate', async (_what, method, path, body) => {
    const { here, change, events, advance } = await listening()
    await change(method, path, body)
    advance(5_000)
    await room.control({ say: `${TOLD}\n\n` })
    expect(await events.next()).toBeUndefined()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    const line = () => here.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(line).toMatchObject([{ status: 200, outcome: 'not_found' }])
  })

  it('says nothing more when the token has expired', async () => {
    const { here, events, advance } = await listening(4)
    advance(6_000)
    await room.control({ say: `${TOLD}\n\n` })
    expect(await events.next()).toBeUndefined()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    const line = () => here.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(line).toMatchObject([{ status: 200, outcome: 'unauthenticated' }])
  })
})
