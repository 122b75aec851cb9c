import { describe, expect, it } from 'vitest'
import { createTestGateway, hello, legacy, modern, rest } from '../support/gateway.ts'
import { control, origin } from '../support/link-client.ts'

const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'

type Post = (path: string, init: RequestInit) => Promise<Response>

/** How clients meet a server: by a call, by a handshake in the object of a session, of a bridge. */
const MEETINGS: readonly (readonly [
  name: string,
  meet: (post: Post, token: string, server: string) => Promise<string>,
])[] = [
  [
    'a call',
    async (post, token, server) =>
      (await post(`/${server}/mcp`, legacy(token, 'initialize', hello()))).text(),
  ],
  [
    'the handshake for a shared session',
    async (post, token, server) => {
      const opened = await post('/mcp', legacy(token, 'initialize', hello()))
      await opened.text()
      const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
      const call = { name: `${server}__echo`, arguments: { n: 1 } }
      return (await post('/mcp', legacy(token, 'tools/call', call, session))).text()
    },
  ],
  [
    'the handshake for a modern client',
    async (post, token, server) => {
      const call = { name: 'echo', arguments: { n: 1 }, _meta: { [CAPABILITIES]: {} } }
      return (await post(`/${server}/mcp`, modern(token, 'tools/call', call))).text()
    },
  ],
]

describe('a server that changes its transport', () => {
  it.each(MEETINGS)('is found out by %s, and served again', async (name, meet) => {
    const gateway = createTestGateway()
    const token = await gateway.token()
    const room = name.replaceAll(' ', '-')
    const endpoints = [{ url: `${origin()}/switch/${room}` }]
    const body = { path: 'changing', name: 'changing', endpoints }
    await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    const shown = async () => {
      const response = await gateway.fetch('/api/v1/servers/changing', rest(token, 'GET'))
      return ((await response.json()) as { transport: string }).transport
    }
    expect(await shown()).toBe('streamable-http')
    await control(room, 'become-sse')

    const meeting = () => meet((path, init) => gateway.fetch(path, init), token, 'changing')
    expect(await meeting()).toContain('answered with HTTP 405')
    await expect.poll(shown, { timeout: 5_000 }).toBe('sse')
    // The snapshot of this isolate is up to 5 s old.
    await expect
      .poll(meeting, { timeout: 8_000, interval: 500 })
      .toMatch(/"serverInfo":\{"name":"link-room"|"text":"\{\\"n\\":1\}"/)
  })
})

/** A call of each era to a server of its own era, and of the other one. */
describe('a server that changes its era', () => {
  const call = { name: 'tool-0', arguments: {} }

  async function registered(room: string) {
    const gateway = createTestGateway()
    const token = await gateway.token()
    const body = {
      path: 'turning',
      name: 'turning',
      endpoints: [{ url: `${origin()}/flip/${room}` }],
    }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(created.status).toBe(201)
    const eras = async () => {
      const response = await gateway.fetch('/api/v1/servers/turning', rest(token, 'GET'))
      return ((await response.json()) as { upstream: { eras: string } }).upstream.eras
    }
    const send = async (init: RequestInit) => (await gateway.fetch('/turning/mcp', init)).text()
    return { gateway, token, eras, send }
  }

  it.each([
    ['a modern client', (token: string) => modern(token, 'tools/call', call)],
    ['a legacy client', (token: string) => legacy(token, 'initialize', hello())],
  ] as const)('is found out by %s when it turned modern, and served again', async (name, init) => {
    const room = `to-modern-${name.replaceAll(' ', '-')}`
    const { token, eras, send } = await registered(room)
    expect(await eras()).toBe('legacy')
    await control(room, 'flip')
    expect(await send(init(token))).toContain('error')
    await expect.poll(eras, { timeout: 5_000 }).toBe('modern')
    // The snapshot of this isolate is up to 5 s old.
    await expect
      .poll(() => send(init(token)), { timeout: 8_000, interval: 500 })
      .toMatch(/modern ran tool-0|"serverInfo"/)
  })

  it('is found out by a modern client when it turned legacy, and served again', async () => {
    const room = 'to-legacy'
    await control(room, 'flip')
    const { token, eras, send } = await registered(room)
    expect(await eras()).toBe('modern')
    await control(room, 'flip')
    expect(await send(modern(token, 'tools/call', call))).toContain('error')
    await expect.poll(eras, { timeout: 5_000 }).toBe('legacy')
    await expect
      .poll(() => send(modern(token, 'tools/call', call)), { timeout: 8_000, interval: 500 })
      .toContain('legacy ran tool-0')
  })

  it('is found out by who goes on in a session, and gives a new one', async () => {
    const room = 'in-session'
    const { gateway, token, eras, send } = await registered(room)
    const opened = await gateway.fetch('/turning/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    const inSession = () => legacy(token, 'tools/call', call, session)
    expect(await send(inSession())).toContain('legacy ran tool-0')
    await control(room, 'flip')
    expect(await send(inSession())).toContain('error')
    await expect.poll(eras, { timeout: 5_000 }).toBe('modern')
    const statusOf = async () => {
      const response = await gateway.fetch('/turning/mcp', inSession())
      await response.text()
      return response.status
    }
    await expect.poll(statusOf, { timeout: 8_000, interval: 500 }).toBe(404)
  })
})
