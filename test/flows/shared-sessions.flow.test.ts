import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

interface Logged {
  readonly httpMethod: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const ROOM = 'shared-sessions'
const origin = () => inject('scriptedOrigin')

async function upstreamLog(): Promise<Logged[]> {
  const response = await fetch(`${origin()}/log/${ROOM}`)
  return ((await response.json()) as { log: Logged[] }).log
}

const rpc = (log: readonly Logged[]): string[] =>
  log.map(({ httpMethod, body }) => (body === '' ? httpMethod : JSON.parse(body).method))

/** One client session on `/mcp`, over `one` and `two` (which are the same room of one upstream). */
describe('a legacy session of /mcp', () => {
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    for (const path of ['one', 'two', 'three']) {
      const body = { path, name: path, endpoints: [{ url: `${origin()}/dual/${ROOM}` }] }
      expect((await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))).status).toBe(201)
    }
  })

  beforeEach(async () => {
    await upstreamLog()
  })

  async function open(on: TestGateway = gateway): Promise<Record<string, string>> {
    const opened = await on.fetch('/mcp', legacy(token, 'initialize', hello()))
    const headers = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    await on.fetch('/mcp', legacy(token, 'notifications/initialized', {}, headers, NOTIFICATION))
    return headers
  }

  const call = (
    headers: Record<string, string>,
    name: string,
    id: unknown = 1,
    on: TestGateway = gateway,
  ) => on.fetch('/mcp', legacy(token, 'tools/call', { name, arguments: { n: 1 } }, headers, id))

  const end = (headers: Record<string, string>) =>
    gateway.fetchWith('/mcp', {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}`, ...headers },
    })

  it('asks no server before it has to, and opens each upstream session once', async () => {
    const headers = await open()
    expect(await upstreamLog()).toEqual([])
    expect(await (await call(headers, 'one__echo')).text()).toContain('\\"n\\":1')
    const opened = ['initialize', 'notifications/initialized']
    // Asked once whether it serves the legacy handshake at all, and left again.
    const settled = [...opened, 'DELETE']
    expect(rpc(await upstreamLog())).toEqual([...settled, ...opened, 'tools/call'])
    await (await call(headers, 'one__echo')).text()
    await (await call(headers, 'two__echo')).text()
    const all = await upstreamLog()
    expect(rpc(all)).toEqual(['tools/call', ...settled, ...opened, 'tools/call'])
    const log = [...all.slice(0, 1), ...all.slice(1 + settled.length)]
    // Each server knows its own session alone, never the client's.
    const sessions = log.map((entry) => entry.headers['mcp-session-id'])
    expect(sessions[0]).toMatch(/^upstream-/)
    expect(sessions[3]).toMatch(/^upstream-/)
    expect(sessions[3]).not.toBe(sessions[0])
  })

  it('opens no upstream session for an answer that nobody asked for', async () => {
    const init = legacy(token, 'ping', {}, await open())
    const body = '{"jsonrpc":"2.0","id":"three:7","result":{}}'
    expect((await gateway.fetch('/mcp', { ...init, body })).status).toBe(202)
    expect(await upstreamLog()).toEqual([])
  })

  it('costs one fetch and no object call once its upstream session is known', async () => {
    const headers = await open()
    await (await call(headers, 'one__echo')).text()
    const before = { ...gateway.work }
    await (await call(headers, 'one__echo')).text()
    expect(gateway.work.fetches - before.fetches).toBe(1)
    expect(gateway.work.objects - before.objects).toBe(0)
    expect(gateway.work.d1 - before.d1).toBe(0)
  })

  it('opens an upstream session once for calls that arrive at the same time', async () => {
    const headers = await open()
    const other = createTestGateway({ tenant: gateway.tenant })
    const answers = await Promise.all([
      call(headers, 'one__echo', 1),
      call(headers, 'one__echo', 2),
      call(headers, 'one__echo', 3, other),
    ])
    for (const answer of answers) expect(await answer.text()).toContain('"result"')
    expect(rpc(await upstreamLog()).filter((method) => method === 'initialize')).toHaveLength(1)
  })

  it('closes all its upstream sessions when it ends, and is gone for every isolate that asks', async () => {
    const headers = await open()
    await (await call(headers, 'one__echo')).text()
    await (await call(headers, 'two__echo')).text()
    await upstreamLog()
    const { response, settle } = await end(headers)
    expect(response.status).toBe(204)
    await settle()
    expect(rpc(await upstreamLog())).toEqual(['DELETE', 'DELETE'])
    const after = await call(headers, 'one__echo')
    expect(after.status).toBe(404)
    // Another isolate learns of it when it would have to open an upstream session.
    const other = createTestGateway({ tenant: gateway.tenant })
    const elsewhere = await call(headers, 'three__echo', 1, other)
    expect([elsewhere.status, (await elsewhere.json()) as object]).toEqual([
      404,
      expect.objectContaining({ error: expect.objectContaining({ code: -31005 }) }),
    ])
  })

  it('is opened again at the server that forgot it, and the call is sent once more', async () => {
    const headers = await open()
    await (await call(headers, 'one__echo')).text()
    await fetch(`${origin()}/control/${ROOM}`, {
      method: 'POST',
      body: JSON.stringify({ forgetStatus: 404 }),
    })
    await upstreamLog()
    expect(await (await call(headers, 'one__echo')).text()).toContain('"result"')
    expect(rpc(await upstreamLog())).toEqual([
      'tools/call',
      'initialize',
      'notifications/initialized',
      'tools/call',
    ])
  })

  it('is needed for everything but initialize', async () => {
    for (const method of ['tools/list', 'tools/call', 'ping']) {
      const response = await gateway.fetch('/mcp', legacy(token, method, { name: 'one__echo' }))
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { data: { code: 'session_required' } } })
    }
  })

  it('is nobody else’s, and no session of another endpoint', async () => {
    const headers = await open()
    const foreign = await gateway.token({ subject: 'eve' })
    const stolen = await gateway.fetch('/mcp', legacy(foreign, 'ping', {}, headers))
    expect(stolen.status).toBe(404)
    const elsewhere = await gateway.fetch('/one/mcp', legacy(token, 'ping', {}, headers))
    expect(elsewhere.status).toBe(404)
    const opened = await gateway.fetch('/one/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    const own = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    expect((await gateway.fetch('/mcp', legacy(token, 'ping', {}, own))).status).toBe(404)
  })

  it('takes a batch from a client of 2025-03-26, and from no other', async () => {
    const opened = await gateway.fetch('/mcp', legacy(token, 'initialize', hello('2025-03-26')))
    await opened.text()
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    const message = (id: number, method: string, params = {}) => ({
      jsonrpc: '2.0',
      id,
      method,
      params,
    })
    const batch = JSON.stringify([
      message(1, 'tools/call', { name: 'one__echo', arguments: { n: 7 } }),
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      message(1, 'ping'),
      message(3, 'tools/call', { name: 'nobody__echo', arguments: {} }),
    ])
    const response = await gateway.fetch('/mcp', {
      ...legacy(token, 'ping', {}, session),
      body: batch,
    })
    const events = (await response.text())
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => JSON.parse(line.slice('data: '.length)))
    expect(events).toMatchObject([
      { id: 1, result: { content: [{ text: '{"n":7}' }] } },
      { id: 1, result: {} },
      { id: 3, error: { message: 'Unknown tool: nobody__echo' } },
    ])
    const headers = await open()
    const refused = await gateway.fetch('/mcp', {
      ...legacy(token, 'ping', {}, { 'mcp-session-id': headers['mcp-session-id'] ?? '' }),
      body: batch,
    })
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ error: { code: -32600 } })
  })
})
