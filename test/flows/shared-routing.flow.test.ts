import { beforeAll, describe, expect, it } from 'vitest'
import {
  createTestGateway,
  legacy,
  modern,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { openSession } from '../support/legacy-session.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

/** Both servers have the same of everything; only their answers say who they are. */
const SERVERS = ['a', 'b'] as const
const URIS = ['urn:isbn:1', 'memo:', 'demo://x/1', 'ui://card/main.html', 'demo://by-id/7'] as const
const TEMPLATE = 'demo://by-id/{id}'

interface Posted {
  readonly server: string
  readonly message: Record<string, unknown>
}

describe('two servers with the same names, URIs and ids behind one endpoint', () => {
  const posted: Posted[] = []
  const finish = new Map<string, () => void>()
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher } })
    token = await gateway.token()
    for (const path of SERVERS) {
      const server = { path, name: path, endpoints: [{ url: `https://${path}.example/mcp` }] }
      const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
      expect(created.status, await created.text()).toBe(201)
    }
  })

  async function fetcher(request: Request): Promise<Response> {
    const server = new URL(request.url).hostname.split('.')[0] ?? ''
    const text = await request.text()
    if (text === '') return new Response(null, { status: 405 })
    const message = JSON.parse(text) as Record<string, unknown> & { params?: { uri?: string } }
    posted.push({ server, message })
    const { id, method, params } = message
    if (id === undefined) return new Response(null, { status: 202 })
    if (method === undefined) {
      finish.get(server)?.()
      return new Response(null, { status: 202 })
    }
    const isModern = request.headers.has('mcp-method')
    if (method === 'tools/call' && !isModern) return asking(server, id)
    const result = resultOf(server, String(method), params?.uri)
    const base = isModern ? { resultType: 'complete', ttlMs: 0, cacheScope: 'public' } : {}
    return Response.json({ jsonrpc: '2.0', id, result: { ...base, ...result } })
  }

  /** Asks its client something under the id 7, and ends its call when it has the answer. */
  function asking(server: string, id: unknown): Response {
    const params = { message: `Who asks? ${server}`, requestedSchema: { type: 'object' } }
    const question = { jsonrpc: '2.0', id: 7, method: 'elicitation/create', params }
    const result = { content: [{ type: 'text', text: `${server} ran` }] }
    const encoder = new TextEncoder()
    const event = (data: object) => encoder.encode(`data: ${JSON.stringify(data)}\n\n`)
    const body = new ReadableStream({
      start(to) {
        to.enqueue(event(question))
        finish.set(server, () => {
          to.enqueue(event({ jsonrpc: '2.0', id, result }))
          to.close()
        })
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }

  const ask = async (method: string, params: Record<string, unknown> = {}) => {
    const response = await gateway.fetch('/mcp', modern(token, method, params))
    expect(response.status).toBe(200)
    const { result } = await response.json<{ result: Record<string, unknown> }>()
    return result
  }
  const exposed = (server: string, uri: string) =>
    uri.startsWith('ui://') ? uri.replace('ui://', `ui://${server}+`) : `mcp+${server}+${uri}`

  // req: uri-to-its-server
  // req: uri-opaque-and-templates
  // req: uri-ui-stays
  it('are each read at its own server, whatever kind of URI it is', async () => {
    for (const server of SERVERS) {
      for (const uri of URIS) {
        posted.length = 0
        const result = await ask('resources/read', { uri: exposed(server, uri) })
        expect(posted).toMatchObject([{ server, message: { params: { uri } } }])
        expect(result).toMatchObject({
          contents: [{ uri: exposed(server, uri), text: `${server} has ${uri}` }],
        })
      }
    }
  })

  it.each<[string, Record<string, unknown>]>([
    ['tools/call', { name: 'a__link', arguments: {} }],
    ['prompts/get', { name: 'a__link' }],
    ['resources/read', { uri: exposed('a', URIS[0]) }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'a__link' }, argument: {} }],
  ])('are none of the gateway’s own endpoint: %s', async (method, params) => {
    posted.length = 0
    const response = await gateway.fetch('/mcpgw/mcp', modern(token, method, params))
    expect(await response.json()).toMatchObject({
      error: { code: -32602, message: expect.stringMatching(/^Unknown /) },
    })
    expect(posted).toEqual([])
  })

  // req: uri-opaque-and-templates
  // req: uri-to-its-server
  it('are all listed, resources and templates, each under its server', async () => {
    const { resources } = await ask('resources/list')
    const { resourceTemplates } = await ask('resources/templates/list')
    const all = SERVERS.flatMap((server) => URIS.map((uri) => ({ uri: exposed(server, uri) })))
    expect(resources).toMatchObject(all)
    expect(resourceTemplates).toMatchObject(
      SERVERS.map((server) => ({ uriTemplate: `mcp+${server}+${TEMPLATE}` })),
    )
  })

  // req: uri-rewritten-everywhere
  it('are written as they are listed, in links, embedded resources and prompts', async () => {
    for (const server of SERVERS) {
      const uri = exposed(server, 'demo://x/1')
      const content = [
        { type: 'resource_link', uri, name: 'x' },
        { type: 'resource', resource: { uri, text: 'x' } },
      ]
      const called = await ask('tools/call', { name: `${server}__link`, arguments: {} })
      expect(called).toMatchObject({ content })
      const prompted = await ask('prompts/get', { name: `${server}__link` })
      expect(prompted).toMatchObject({ messages: content.map((one) => ({ content: one })) })
    }
  })

  // req: client-response-routed
  // req: server-request-to-its-client
  it('ask their client under ids of their own, and get each its own answer', async () => {
    const session = await openSession(gateway, token, '/mcp')
    const running = await Promise.all(
      SERVERS.map((server) => {
        const params = { name: `${server}__link`, arguments: {} }
        return gateway.fetch('/mcp', legacy(token, 'tools/call', params, session, `of ${server}`))
      }),
    )
    const readers = running.map(({ body }) =>
      body?.pipeThrough(new TextDecoderStream()).getReader(),
    )
    const next = async (index: number) =>
      JSON.parse((await readers[index]?.read())?.value?.split('data: ')[1] ?? 'null')
    for (const [index, server] of SERVERS.entries()) {
      expect(await next(index)).toMatchObject({
        id: `${server}:7`,
        method: 'elicitation/create',
        params: { message: `Who asks? ${server}` },
      })
    }
    posted.length = 0
    for (const server of [...SERVERS].reverse()) {
      const result = { action: 'accept', content: { name: `for ${server}` } }
      const init = legacy(token, 'x', {}, session)
      const body = JSON.stringify({ jsonrpc: '2.0', id: `${server}:7`, result })
      const answered = await gateway.fetch('/mcp', { ...init, body })
      expect(answered.status).toBe(202)
      expect(posted.at(-1)).toEqual({ server, message: { jsonrpc: '2.0', id: 7, result } })
    }
    for (const [index, server] of SERVERS.entries()) {
      expect(await next(index)).toMatchObject({
        id: `of ${server}`,
        result: { content: [{ text: `${server} ran` }] },
      })
    }
  })
})

function resultOf(server: string, method: string, uri: string | undefined): object {
  const link = { type: 'resource_link', uri: 'demo://x/1', name: 'x' }
  const embedded = { type: 'resource', resource: { uri: 'demo://x/1', text: 'x' } }
  const capabilities = { tools: {}, resources: {}, prompts: {} }
  const serverInfo = { name: server, version: '1' }
  const results: Record<string, object> = {
    'server/discover': { supportedVersions: ['2026-07-28'], capabilities },
    initialize: { protocolVersion: '2025-11-25', capabilities, serverInfo },
    'tools/list': { tools: [{ name: 'link', inputSchema: { type: 'object' } }] },
    'tools/call': { content: [link, embedded] },
    'prompts/list': { prompts: [{ name: 'link' }] },
    'prompts/get': {
      messages: [link, embedded].map((content) => ({ role: 'user', content })),
    },
    'resources/list': { resources: URIS.map((one) => ({ name: one, uri: one })) },
    'resources/templates/list': { resourceTemplates: [{ name: 't', uriTemplate: TEMPLATE }] },
    'resources/read': { contents: [{ uri, text: `${server} has ${uri}` }] },
  }
  return results[method] ?? {}
}

describe('a call that another isolate runs', () => {
  const room = scriptedRoom('cancel-elsewhere')

  // req: cancel-across-isolates
  it('is cancelled all the same, once it has run for a moment', async () => {
    const here = createTestGateway()
    const there = createTestGateway({ tenant: here.tenant })
    const token = await here.token()
    await room.register(here, token, { endpoints: [{ url: room.url('dual') }] })
    const session = await openSession(here, token, '/scripted/mcp')
    await room.log()
    const hang = { name: 'hang', arguments: {} }
    const running = await here.fetch(
      '/scripted/mcp',
      legacy(token, 'tools/call', hang, session, 'far'),
    )
    const seen: Record<string, unknown>[] = []
    const sent = async (method: string) => {
      seen.push(...(await room.log()).log.map(({ body }) => JSON.parse(body || '{}')))
      return seen.filter((message) => message['method'] === method)
    }
    const params = { requestId: 'far', reason: 'enough' }
    await expect
      .poll(async () => {
        const note = legacy(token, 'notifications/cancelled', params, session, NOTIFICATION)
        expect((await there.fetch('/scripted/mcp', note)).status).toBe(202)
        return (await sent('notifications/cancelled')).length
      })
      .toBe(1)
    const [called] = await sent('tools/call')
    const [cancel] = await sent('notifications/cancelled')
    expect(cancel).toMatchObject({ params: { requestId: called?.['id'], reason: 'enough' } })
    await running.body?.cancel()
  })
})
