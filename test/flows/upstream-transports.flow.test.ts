import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  NOTIFICATION,
  PUBLIC_URL,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { control, logOf, origin } from '../support/link-client.ts'

const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'

/** How each transport's endpoint is written; the contract below holds for all of them. */
const URLS = {
  'streamable-http': (room: string) => `${origin()}/mcp/${room}`,
  sse: (room: string) => `${origin()}/sse/${room}`,
  websocket: (room: string) => `${origin().replace('http', 'ws')}/ws/${room}`,
} as const

const clients: Client[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

describe.each(Object.keys(URLS) as (keyof typeof URLS)[])('an upstream of %s', (transport) => {
  let gateway: TestGateway
  let token: string
  const room = `contract-${transport}`

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    const body = { path: 'room', name: 'room', endpoints: [{ url: URLS[transport](room) }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(await created.json()).toMatchObject({
      transport,
      transportChoice: 'auto',
      transportDetectedAt: expect.stringMatching(/^20/),
      discovered: { tools: 25, resources: 1 },
      upstream: { eras: 'legacy', sessionful: true, instructions: 'Ask me.' },
    })
  })

  async function connect(capabilities: object = {}, onEvent: (event: string) => void = () => {}) {
    const client = new Client(
      { name: 'contract', version: '1' },
      { capabilities, versionNegotiation: { mode: 'legacy' } },
    )
    const fetchGateway = (url: string | URL, init?: RequestInit) =>
      gateway.fetch(String(url).replace(PUBLIC_URL, ''), init)
    client.setNotificationHandler('notifications/tools/list_changed', () => onEvent('tools'))
    client.setNotificationHandler('notifications/resources/updated', ({ params }) =>
      onEvent(params.uri),
    )
    client.setNotificationHandler('notifications/message', ({ params }) =>
      onEvent(`${params.level}: ${params.data}`),
    )
    await client.connect(
      new StreamableHTTPClientTransport(new URL(`${PUBLIC_URL}/room/mcp`), {
        fetch: fetchGateway,
        requestInit: { headers: { authorization: `Bearer ${token}` } },
      }),
    )
    clients.push(client)
    return client
  }

  /** A session of the legacy era without a client that would know better. */
  async function openSession() {
    const response = await gateway.fetch('/room/mcp', legacy(token, 'initialize', hello()))
    await response.text()
    const session = { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' }
    return (
      method: string,
      params: Record<string, unknown>,
      id: unknown = NOTIFICATION,
      signal?: AbortSignal,
    ) =>
      gateway.fetch('/room/mcp', {
        ...legacy(token, method, params, session, id),
        ...(signal ? { signal } : {}),
      })
  }

  const textOf = (result: unknown) =>
    (result as { content: { text: string }[] }).content[0]?.text ?? ''

  // req: list-every-page
  it('says hello, and lists its tools page by page', async () => {
    const client = await connect()
    expect(client.getServerVersion()).toMatchObject({ name: 'link-room' })
    expect(client.getInstructions()).toBe('Ask me.')
    const { tools } = await client.listTools()
    expect(tools).toHaveLength(25)
  })

  it('runs calls, many at once, each with its own answer', async () => {
    const client = await connect()
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => client.callTool({ name: 'echo', arguments: { n } })),
    )
    expect(results.map(textOf)).toEqual(Array.from({ length: 20 }, (_, n) => `{"n":${n}}`))
  })

  // req: equal-ids-apart
  it('keeps apart what two clients do with equal ids', async () => {
    const [one, other] = await Promise.all([connect(), connect()])
    const [a, b] = await Promise.all([
      one.callTool({ name: 'echo', arguments: { who: 'one' } }),
      other.callTool({ name: 'echo', arguments: { who: 'other' } }),
    ])
    expect([a, b].map(textOf)).toEqual(['{"who":"one"}', '{"who":"other"}'])
  })

  // req: progress-own-token
  it('tells each of its own progress, under its own token', async () => {
    const [one, other] = await Promise.all([connect(), connect()])
    const seen: string[] = []
    await Promise.all(
      [one, other].map((client, index) =>
        client.callTool(
          { name: 'steps', arguments: {} },
          { onprogress: ({ progress }) => seen.push(`${index}:${progress}`) },
        ),
      ),
    )
    expect(seen.sort()).toEqual(['0:1', '0:2', '0:3', '1:1', '1:2', '1:3'])
  })

  // req: server-request-to-its-client
  // req: client-response-relayed
  it('asks the client that called, and gets its answer', async () => {
    const askers = await Promise.all(
      ['ann', 'bob'].map(async (name) => {
        const client = await connect({ elicitation: {}, sampling: {} })
        client.setRequestHandler('elicitation/create', () => ({
          action: 'accept' as const,
          content: { name },
        }))
        client.setRequestHandler('sampling/createMessage', () => ({
          role: 'assistant' as const,
          model: name,
          content: { type: 'text' as const, text: name },
        }))
        return client
      }),
    )
    for (const tool of ['ask', 'sample']) {
      const results = await Promise.all(
        askers.map((client) => client.callTool({ name: tool, arguments: {} })),
      )
      expect(textOf(results[0])).toContain('ann')
      expect(textOf(results[1])).toContain('bob')
    }
  })

  // req: cancel-mapped
  it('passes a cancel on', async () => {
    const client = await connect()
    const before = (await logOf(room)).cancelled.length
    const calls = (await logOf(room)).calls.length
    const leave = new AbortController()
    const call = client
      .callTool({ name: 'hold', arguments: {} }, { signal: leave.signal })
      .catch(() => 'cancelled')
    await expect.poll(async () => (await logOf(room)).calls.length).toBeGreaterThan(calls)
    leave.abort()
    expect(await call).toBe('cancelled')
    await expect.poll(async () => (await logOf(room)).cancelled.length).toBe(before + 1)
  })

  describe.each([
    ['can be asked nothing', {}],
    ['can be asked', { elicitation: {} }],
  ])('cancels what a modern client leaves that %s', (_what, capabilities) => {
    /** A call that runs at the server when this returns. */
    async function leavable() {
      const { cancelled, calls } = await logOf(room)
      const leave = new AbortController()
      const _meta = { [CAPABILITIES]: capabilities }
      const held = modern(token, 'tools/call', { name: 'hold', arguments: {}, _meta }, {}, 'mine')
      const answering = gateway.fetch('/room/mcp', { ...held, signal: leave.signal })
      answering.catch(() => undefined)
      await expect.poll(async () => (await logOf(room)).calls.length).toBe(calls.length + 1)
      const isTold = () =>
        expect.poll(async () => (await logOf(room)).cancelled.length).toBe(cancelled.length + 1)
      return { leave, answering, isTold }
    }

    it('before there was an answer', async () => {
      const { leave, isTold } = await leavable()
      leave.abort()
      await isTold()
    })

    it('while it reads', async () => {
      const { answering, isTold } = await leavable()
      await (await answering).body?.cancel()
      await isTold()
    })
  })

  it('cancels for a client that hung up before it said so', async () => {
    const send = await openSession()
    const { cancelled, calls } = await logOf(room)
    const leave = new AbortController()
    const call = { name: 'hold', arguments: {} }
    const answering = send('tools/call', call, 'held', leave.signal)
    answering.catch(() => undefined)
    await expect.poll(async () => (await logOf(room)).calls.length).toBe(calls.length + 1)
    leave.abort()
    await send('notifications/cancelled', { requestId: 'held' })
    await expect.poll(async () => (await logOf(room)).cancelled.length).toBe(cancelled.length + 1)
  })

  it('tells of changed lists, of resources that were subscribed to, and writes a log', async () => {
    const events: string[] = []
    const client = await connect({}, (event) => events.push(event))
    await client.subscribeResource({ uri: 'room://thing' })
    await expect
      .poll(async () => {
        await control(room, 'tools-changed')
        return events
      })
      .toContain('tools')
    await control(room, 'updated')
    await expect.poll(() => events).toContain('room://thing')
    await client.setLoggingLevel('warning')
    await client.callTool({ name: 'talk', arguments: { who: 'me' } })
    await expect.poll(() => events).toContain('warning: warning of me')
  })

  it('carries an answer of several megabytes', async () => {
    const client = await connect()
    const size = 3 * 1024 * 1024
    const result = await client.callTool({ name: 'large', arguments: { size } })
    expect(textOf(result)).toHaveLength(size)
  })

  it('opens the session again when the server forgot it', async () => {
    const client = await connect()
    await client.callTool({ name: 'echo', arguments: {} })
    const { opened } = await logOf(room)
    await control(room, 'break')
    await expect
      .poll(async () => textOf(await client.callTool({ name: 'echo', arguments: { back: 1 } })))
      .toBe('{"back":1}')
    expect((await logOf(room)).opened).toBeGreaterThan(opened)
  })
})
