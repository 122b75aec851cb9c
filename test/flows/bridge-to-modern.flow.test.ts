import {
  acceptedContent,
  createMcpHandler,
  inputRequired,
  inputResponse,
  McpServer,
} from '@modelcontextprotocol/server'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type EventReader, readEvents } from '../support/event-reader.ts'
import {
  createTestGateway,
  hello,
  legacy,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const Name = z.object({ name: z.string() })
const PROTOCOL = 'io.modelcontextprotocol/protocolVersion'

interface Message {
  readonly id: string
  readonly method: string
  readonly params: Record<string, unknown>
  readonly result: Record<string, unknown>
  readonly error: { code: number; message: string }
}

interface Sent {
  readonly headers: Headers
  readonly body: { id: unknown; method: string; params: Record<string, unknown> }
}

/** A server of the modern era alone. */
describe('a legacy client of a modern server', () => {
  let gateway: TestGateway
  let elsewhere: TestGateway
  let token: string
  let sent: Sent[] = []
  let aborted = 0
  let runs = 0

  const handler = createMcpHandler(createServer, { legacy: 'reject' })

  function createServer(): McpServer {
    const server = new McpServer(
      { name: 'new', version: '3' },
      { capabilities: { tools: {}, logging: {} }, instructions: 'Be kind.' },
    )
    server.registerTool('name', {}, async ({ mcpReq }) => {
      const name = acceptedContent(mcpReq.inputResponses, 'who', Name)?.name
      if (name !== undefined) return { content: [{ type: 'text', text: `Hello ${name}` }] }
      const ask = inputRequired.elicit({ message: 'Who?', requestedSchema: Name })
      return inputRequired({ inputRequests: { who: ask } })
    })
    server.registerTool('forever', {}, async () => {
      runs += 1
      const ask = inputRequired.elicit({ message: 'Again?', requestedSchema: Name })
      return inputRequired({ inputRequests: { who: ask } })
    })
    server.registerTool('url', {}, async ({ mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, 'at')
      if (answer.kind === 'elicit') return { content: [{ type: 'text', text: answer.action }] }
      const ask = inputRequired.elicitUrl({ message: 'Look', url: 'https://a.example/' })
      return inputRequired({ inputRequests: { at: ask } })
    })
    server.registerTool('list', {}, async () => ({ content: [], structuredContent: { a: 1 } }))
    server.registerTool('slow', {}, async ({ mcpReq }) => {
      await new Promise<void>((resolve) => {
        mcpReq.signal.addEventListener('abort', () => {
          aborted += 1
          resolve()
        })
      })
      return { content: [] }
    })
    server.registerTool('log', {}, async ({ mcpReq }) => {
      await mcpReq.log('warning', 'careful')
      return { content: [] }
    })
    return server
  }

  beforeAll(async () => {
    const fetcher = async (request: Request) => {
      const text = await request.clone().text()
      if (text !== '') sent.push({ headers: request.headers, body: JSON.parse(text) })
      return handler.fetch(request)
    }
    gateway = createTestGateway({ seams: { fetcher } })
    elsewhere = createTestGateway({ seams: { fetcher }, tenant: gateway.tenant })
    token = await gateway.token()
    const body = { path: 'new', name: 'new', endpoints: [{ url: 'https://new.example/mcp' }] }
    const response = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(response.status).toBe(201)
  })

  beforeEach(() => {
    sent = []
    runs = 0
    aborted = 0
  })

  const CAPABILITIES = { elicitation: { form: {}, url: {} }, sampling: {} }

  async function open(path = '/new/mcp', capabilities: object = CAPABILITIES) {
    const params = { ...hello(), capabilities }
    const response = await gateway.fetch(path, legacy(token, 'initialize', params))
    const { result } = await response.json<Message>()
    const headers = {
      'mcp-session-id': response.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const ask = (method: string, params: object, id: unknown = 1, on: TestGateway = gateway) =>
      on.fetch(path, legacy(token, method, { ...params }, headers, id))
    const answer = (body: object, on: TestGateway = gateway) => {
      const init = legacy(token, '', {}, headers)
      return on.fetch(path, { ...init, body: JSON.stringify({ jsonrpc: '2.0', ...body }) })
    }
    return { result, headers, ask, answer }
  }

  async function nextMessage(events: EventReader): Promise<Message> {
    for (;;) {
      const event = await events.next()
      if (event === undefined) throw new Error('the stream has ended')
      const data = event.split('\n').find((line) => line.startsWith('data: '))
      if (data) return JSON.parse(data.slice('data: '.length))
    }
  }

  it('is greeted by the gateway, with what the server said of itself', async () => {
    const { result, headers } = await open()
    expect(result).toMatchObject({
      protocolVersion: '2025-11-25',
      serverInfo: { name: 'new', version: '3' },
      instructions: 'Be kind.',
      capabilities: { tools: {}, logging: {} },
    })
    expect(headers['mcp-session-id']).not.toBe('')
    // Asked for the legacy era once, when the first legacy client came.
    expect(sent.map(({ body }) => body.method).filter((one) => one !== 'initialize')).toEqual([])
  })

  it('needs its session, and is answered pings', async () => {
    const without = await gateway.fetch('/new/mcp', legacy(token, 'tools/list'))
    expect(without.status).toBe(400)
    const { ask } = await open()
    expect(await (await ask('ping', {}, 'p')).json()).toEqual({
      ...{ jsonrpc: '2.0', id: 'p', result: {} },
    })
    expect((await ask('notifications/initialized', {}, NOTIFICATION)).status).toBe(202)
    expect((await ask('tasks/list', {})).status).toBe(200)
  })

  it('has its request put into the modern envelope, and the answer taken out', async () => {
    const { ask } = await open()
    sent = []
    const answer = await (await ask('tools/list', {}, 'mine')).json<Message>()
    expect(answer.id).toBe('mine')
    expect(Object.keys(answer.result)).toEqual(['tools'])
    expect(sent).toHaveLength(1)
    expect(sent[0]?.headers.get('mcp-method')).toBe('tools/list')
    expect(sent[0]?.headers.get('mcp-session-id')).toBeNull()
    expect(sent[0]?.body.params['_meta']).toMatchObject({
      [PROTOCOL]: '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': CAPABILITIES,
      'io.modelcontextprotocol/clientInfo': { name: 'flow', version: '1' },
    })
  })

  // req: input-required-bridged
  it.each([
    ['/new/mcp', ''],
    ['/mcp', 'new__'],
  ])('is asked on its stream at %s, and may answer at another isolate', async (path, prefix) => {
    const { ask, answer } = await open(path)
    const response = await ask('tools/call', { name: `${prefix}name`, arguments: {} }, 'mine')
    const events = readEvents(response)
    const asked = await nextMessage(events)
    expect(asked).toMatchObject({
      method: 'elicitation/create',
      params: { message: 'Who?', requestedSchema: { type: 'object' } },
    })
    const result = { action: 'accept', content: { name: 'Ada' } }
    expect((await answer({ id: asked.id, result }, elsewhere)).status).toBe(202)
    expect(await nextMessage(events)).toEqual({
      ...{ jsonrpc: '2.0', id: 'mine' },
      result: { content: [{ type: 'text', text: 'Hello Ada' }] },
    })
    const [first, second] = sent.filter(({ body }) => body.method === 'tools/call')
    expect(second?.body.id).not.toBe(first?.body.id)
    expect(second?.body.params['inputResponses']).toEqual({ who: result })
  })

  it('looks at a URL under an id that the era knows', async () => {
    const { ask, answer } = await open()
    const events = readEvents(await ask('tools/call', { name: 'url', arguments: {} }))
    const asked = await nextMessage(events)
    expect(asked.params).toEqual({
      ...{ mode: 'url', message: 'Look', url: 'https://a.example/' },
      elicitationId: expect.any(String),
    })
    await answer({ id: asked.id, result: { action: 'accept' } })
    expect((await nextMessage(events)).result['content']).toBeDefined()
  })

  it('is not asked for what it did not declare', async () => {
    const { ask } = await open('/new/mcp', {})
    const response = await ask('tools/call', { name: 'name', arguments: {} })
    expect((await response.json<Message>()).error).toBeDefined()
  })

  it('is asked ten times at most', async () => {
    const { ask, answer } = await open()
    const events = readEvents(await ask('tools/call', { name: 'forever', arguments: {} }))
    for (let round = 1; round <= 10; round += 1) {
      const asked = await nextMessage(events)
      await answer({ id: asked.id, result: { action: 'accept', content: { name: 'x' } } })
    }
    expect((await nextMessage(events)).error.message).toContain('more than 10 times')
    expect(runs).toBe(11)
  })

  it.each(['here', 'at another isolate'])('cancels %s what runs at the server', async (where) => {
    const { ask } = await open()
    const running = ask('tools/call', { name: 'slow', arguments: {} }, 'long')
    await expect.poll(() => sent.some(({ body }) => body.method === 'tools/call')).toBe(true)
    const on = where === 'here' ? gateway : elsewhere
    const cancel = () => ask('notifications/cancelled', { requestId: 'long' }, NOTIFICATION, on)
    await expect
      .poll(async () => {
        await cancel()
        return aborted
      })
      .toBe(1)
    await (await running).text()
  })

  it('logs at the level that it has set', async () => {
    const { ask } = await open()
    const call = async () => (await ask('tools/call', { name: 'log', arguments: {} })).text()
    expect(await call()).not.toContain('careful')
    expect(await (await ask('logging/setLevel', { level: 'loud' })).json()).toMatchObject({
      error: { code: -32602 },
    })
    expect(await (await ask('logging/setLevel', { level: 'info' })).json()).toMatchObject({
      result: {},
    })
    expect(await call()).toContain('careful')
    const [, , last] = sent.map(({ body }) => body)
    expect(JSON.stringify(last ?? sent.at(-1)?.body)).toContain('"info"')
  })

  it('ends its session everywhere', async () => {
    const { ask, headers } = await open()
    const init = { method: 'DELETE', headers: { authorization: `Bearer ${token}`, ...headers } }
    expect((await gateway.fetch('/new/mcp', init)).status).toBe(204)
    expect((await ask('tools/list', {})).status).toBe(404)
    expect((await ask('tools/list', {}, 1, elsewhere)).status).toBe(404)
  })

  it('finds resources where the server knows no templates', async () => {
    const resource = { uri: 'x:y', name: 'x' }
    const bare = createTestGateway({
      seams: {
        fetcher: async (request) => {
          const { id, method } = (await request.json()) as { id: unknown; method: string }
          const complete = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' }
          const results: Record<string, object> = {
            'server/discover': {
              ...{ supportedVersions: ['2026-07-28'], capabilities: { resources: {} } },
              ...complete,
            },
            'resources/list': { resources: [resource], ...complete },
          }
          const result = results[method]
          if (result) return Response.json({ jsonrpc: '2.0', id, result })
          const error = { code: -32601, message: 'Method not found' }
          return Response.json({ jsonrpc: '2.0', id, error }, { status: 404 })
        },
      },
    })
    const body = { path: 'bare', name: 'bare', endpoints: [{ url: 'https://bare.example/mcp' }] }
    const created = await bare.fetch('/api/v1/servers', rest(await bare.token(), 'POST', body))
    expect(created.status).toBe(201)
    expect(await created.json()).toMatchObject({ discovered: { resources: 1 } })
  })

  it('cannot use a session of another endpoint', async () => {
    const { headers } = await open('/mcp')
    const response = await gateway.fetch('/new/mcp', legacy(token, 'tools/list', {}, headers))
    expect(response.status).toBe(404)
  })
})
