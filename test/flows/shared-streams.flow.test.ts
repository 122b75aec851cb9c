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

const told = (method: string, params: object = {}) =>
  `data: ${JSON.stringify({ jsonrpc: '2.0', method, params })}\n\n`

/** `/mcp` over two servers with streams of their own. */
describe('the stream of /mcp', () => {
  const one = scriptedRoom('shared-stream-one')
  const two = scriptedRoom('shared-stream-two')
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    await one.register(gateway, token, { path: 'one', endpoints: [{ url: one.url('dual') }] })
    await two.register(gateway, token, { path: 'two', endpoints: [{ url: two.url('dual') }] })
  })

  beforeEach(async () => {
    for (const room of [one, two]) {
      await room.control({ closeStreams: true, offersStreams: true })
      await expect.poll(async () => (await room.log()).streams).toBe(0)
    }
  })

  async function open(on: TestGateway = gateway): Promise<Headers> {
    const opened = await on.fetch('/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    const id = opened.headers.get('mcp-session-id') ?? ''
    return { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' }
  }
  const call = (headers: Headers, name: string, on: TestGateway = gateway) =>
    on.fetch('/mcp', legacy(token, 'tools/call', { name, arguments: {} }, headers))
  const get = (headers: Headers, as = token) =>
    gateway.fetch('/mcp', {
      headers: { authorization: `Bearer ${as}`, accept: 'text/event-stream', ...headers },
    })
  const streamsOf = (room: typeof one) => expect.poll(async () => (await room.log()).streams)

  it('carries what the servers of the session send, and those that join it later', async () => {
    const session = await open()
    await (await call(session, 'one__echo')).text()
    const response = await get(session)
    expect(response.status).toBe(200)
    const events = readEvents(response)
    await streamsOf(one).toBe(1)
    await one.control({ say: told('notifications/first') })
    expect(await events.next()).toContain('notifications/first')
    // Another isolate opens the second upstream session.
    const other = createTestGateway({ tenant: gateway.tenant })
    await (await call(session, 'two__echo', other)).text()
    await streamsOf(two).toBe(1)
    await two.control({ say: told('notifications/second') })
    expect(await events.next()).toContain('notifications/second')
    await events.cancel()
    await streamsOf(one).toBe(0)
    await streamsOf(two).toBe(0)
  })

  it('names resources and requests as the endpoint does, and takes answers back', async () => {
    const session = await open()
    await (await call(session, 'one__echo')).text()
    await (await call(session, 'two__echo')).text()
    const events = readEvents(await get(session))
    await streamsOf(two).toBe(1)
    await two.control({ say: told('notifications/resources/updated', { uri: 'memo:1' }) })
    expect(await events.next()).toContain('"uri":"mcp+two+memo:1"')
    await two.control({ say: 'data: {"jsonrpc":"2.0","id":7,"method":"roots/list"}\n\n' })
    expect(await events.next()).toContain('"id":"two:7"')
    await one.log()
    await two.log()
    const answered = await gateway.fetch('/mcp', {
      ...legacy(token, 'unused', {}, session, NOTIFICATION),
      body: '{"jsonrpc":"2.0","id":"two:7","result":{"roots":[]}}',
    })
    expect(answered.status).toBe(202)
    expect((await two.log()).log.map(({ body }) => body)).toEqual([
      '{"jsonrpc":"2.0","id":7,"result":{"roots":[]}}',
    ])
    expect((await one.log()).log).toEqual([])
    await events.cancel()
  })

  it('goes on where a client left the stream of one server', async () => {
    const session = await open()
    const polled = readEvents(await call(session, 'one__sse_poll'))
    const first = await polled.next()
    const id = /^id: (.+)$/m.exec(first ?? '')?.[1] ?? ''
    expect(id).not.toBe('')
    expect(await polled.next()).toBeUndefined()
    const resumed = readEvents(await get({ ...session, 'last-event-id': id }))
    expect(await resumed.next()).toContain('"id":1')
    await resumed.cancel()
    const foreign = await open()
    expect((await get({ ...foreign, 'last-event-id': id })).status).toBe(400)
  })

  it('stays open where a server gives no stream, and ends with the session', async () => {
    const session = await open()
    await one.control({ offersStreams: false })
    await (await call(session, 'one__echo')).text()
    await (await call(session, 'two__echo')).text()
    const events = readEvents(await get(session))
    await streamsOf(two).toBe(1)
    await two.control({ say: told('notifications/only') })
    expect(await events.next()).toContain('notifications/only')
    const ended = await gateway.fetch('/mcp', {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}`, ...session },
    })
    expect(ended.status).toBe(204)
    expect(await events.next()).toBeUndefined()
    await streamsOf(two).toBe(0)
    expect((await get(session)).status).toBe(404)
  })

  it.each<[string, () => Promise<Response>, number]>([
    ['without a session', () => get({}), 400],
    ['in an unknown session', () => get({ 'mcp-session-id': 'made-up' }), 404],
    ['in the modern era', async () => get({ 'mcp-protocol-version': '2026-07-28' }), 405],
    [
      'in the session of another user',
      async () => get(await open(), await gateway.token({ subject: 'mallory' })),
      404,
    ],
  ])('is not opened %s', async (_what, send, status) => {
    expect((await send()).status).toBe(status)
  })

  it('has nothing to do with modern clients, who have no session', async () => {
    const response = await gateway.fetch(
      '/mcp',
      modern(token, 'tools/call', { name: 'one__echo', arguments: {} }),
    )
    expect(await response.text()).toContain('"result"')
    expect((await one.log()).streams).toBe(0)
  })
})

describe('the stream of a shared endpoint whose servers change (DESIGN.md, Decision 4)', () => {
  const one = scriptedRoom('shared-stream-changing-one')
  const two = scriptedRoom('shared-stream-changing-two')
  const VIRTUAL = {
    path: 'both',
    name: 'Both',
    tools: [
      { server: 'one', name: 'echo', as: 'first' },
      { server: 'two', name: 'echo', as: 'second' },
    ],
  }

  /** A stream over both servers on one isolate; the administrator is on another. */
  async function listening(path: string, tools: readonly string[], ttlSeconds = 3_600) {
    let now = Date.now()
    const seams = { clock: { now: () => now } }
    const here = createTestGateway({ seams })
    const there = createTestGateway({ seams, tenant: here.tenant })
    const token = await there.token()
    const short = await here.token({ ttlSeconds })
    const change = async (method: string, at: string, body: unknown) => {
      const changed = await there.fetch(`/api/v1${at}`, rest(token, method, body))
      expect(changed.ok).toBe(true)
    }
    for (const [name, room] of [['one', one] as const, ['two', two] as const]) {
      await room.register(there, token, { path: name, endpoints: [{ url: room.url('dual') }] })
    }
    await change('POST', '/virtual-servers', VIRTUAL)
    const opened = await here.fetch(path, legacy(short, 'initialize', hello()))
    await opened.text()
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    for (const name of tools) {
      const init = legacy(short, 'tools/call', { name, arguments: {} }, session)
      expect(await (await here.fetch(path, init)).text()).toContain('"result"')
    }
    const headers = { authorization: `Bearer ${short}`, accept: 'text/event-stream', ...session }
    const events = readEvents(await here.fetch(path, { headers }))
    for (const room of [one, two]) {
      await expect.poll(async () => (await room.log()).streams).toBe(1)
    }
    const advance = (ms: number) => {
      now += ms
    }
    return { here, change, events, advance }
  }
  const onBoth = () => listening('/both/mcp', ['first', 'second'])

  it.each<[string, () => ReturnType<typeof listening>, string, unknown]>([
    [
      'was disabled',
      () => listening('/mcp', ['one__echo', 'two__echo']),
      '/servers/one/toggle',
      { enabled: false },
    ],
    ['was disabled behind a virtual server', onBoth, '/servers/one/toggle', { enabled: false }],
  ])(
    'carries nothing of a server that %s on another isolate, and all of the others',
    async (...of) => {
      const [, listen, at, body] = of
      const { change, events, advance } = await listen()
      await change('POST', at, body)
      advance(5_000)
      await one.control({ say: told('notifications/secret') })
      await expect.poll(async () => (await one.log()).streams).toBe(0)
      await two.control({ say: told('notifications/open') })
      expect(await events.next()).toContain('notifications/open')
      await events.cancel()
      await expect.poll(async () => (await two.log()).streams).toBe(0)
    },
  )

  it('ends when its virtual server was disabled on another isolate', async () => {
    const { here, change, events, advance } = await onBoth()
    await change('POST', '/virtual-servers/both/toggle', { enabled: false })
    advance(5_000)
    await one.control({ say: told('notifications/secret') })
    expect(await events.next()).toBeUndefined()
    for (const room of [one, two]) {
      await expect.poll(async () => (await room.log()).streams).toBe(0)
    }
    const line = () => here.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(line).toMatchObject([{ status: 200, outcome: 'not_found' }])
  })

  it('ends when the token has expired', async () => {
    const { here, events, advance } = await listening('/mcp', ['one__echo', 'two__echo'], 4)
    advance(6_000)
    await one.control({ say: told('notifications/secret') })
    expect(await events.next()).toBeUndefined()
    for (const room of [one, two]) {
      await expect.poll(async () => (await room.log()).streams).toBe(0)
    }
    const line = () => here.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(line).toMatchObject([{ status: 200, outcome: 'unauthenticated' }])
  })
})
