import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

/** It gives no sessions, and asks the client of its one tool under the id 7 and the token 8. */
describe('a server without sessions', () => {
  const posted: Record<string, unknown>[] = []
  let finish: () => void = () => undefined
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher } })
    token = await gateway.token()
    const server = { path: 'less', name: 'less', endpoints: [{ url: 'https://less.example/mcp' }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
    expect(created.status, await created.text()).toBe(201)
  })

  beforeEach(() => {
    posted.length = 0
  })

  async function fetcher(request: Request): Promise<Response> {
    const text = await request.text()
    if (text === '') return new Response(null, { status: 405 })
    const message = JSON.parse(text) as Record<string, unknown>
    posted.push(message)
    const { id, method } = message
    if (id === undefined || method === undefined) return new Response(null, { status: 202 })
    if (request.headers.has('mcp-method')) return new Response(null, { status: 404 })
    if (method === 'tools/call') return asking(id)
    const results: Record<string, object> = {
      initialize: {
        ...{ protocolVersion: '2025-11-25', capabilities: { tools: {} } },
        serverInfo: { name: 'less', version: '1' },
      },
      'tools/list': { tools: [{ name: 'ask', inputSchema: { type: 'object' } }] },
    }
    return Response.json({ jsonrpc: '2.0', id, result: results[String(method)] ?? {} })
  }

  function asking(id: unknown): Response {
    const params = { message: 'Who?', requestedSchema: {}, _meta: { progressToken: 8 } }
    const question = { jsonrpc: '2.0', id: 7, method: 'elicitation/create', params }
    const event = (data: object) => new TextEncoder().encode(`data: ${JSON.stringify(data)}\n\n`)
    const body = new ReadableStream({
      start(to) {
        to.enqueue(event(question))
        finish = () => {
          to.enqueue(event({ jsonrpc: '2.0', id, result: { content: [] } }))
          to.close()
        }
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }

  async function open(): Promise<Record<string, string>> {
    const opened = await gateway.fetch('/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    return {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
  }

  async function respond(path: string, headers: Record<string, string>, id: unknown) {
    const body = JSON.stringify({ jsonrpc: '2.0', id, result: { action: 'accept' } })
    const response = await gateway.fetch(path, { ...legacy(token, 'x', {}, headers), body })
    expect(response.status).toBe(202)
  }

  async function progress(path: string, headers: Record<string, string>, progressToken: unknown) {
    const params = { progressToken, progress: 1 }
    const note = legacy(token, 'notifications/progress', params, headers, NOTIFICATION)
    expect((await gateway.fetch(path, note)).status).toBe(202)
  }

  it('is answered by the session alone that it asked, while it waits', async () => {
    const [asked, other] = [await open(), await open()]
    const params = { name: 'less__ask', arguments: {} }
    const running = await gateway.fetch('/mcp', legacy(token, 'tools/call', params, asked))
    const reader = running.body?.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader?.read())?.value).toContain('"less:7"')
    posted.length = 0
    for (const [headers, id] of [
      [other, 'less:7'],
      [asked, 'less:99'],
      [asked, 'less:"7"'],
      [asked, 'less:8'],
    ] as const) {
      await respond('/mcp', headers, id)
      await progress('/mcp', other, 'less:8')
    }
    expect(posted).toEqual([])
    await progress('/mcp', asked, 'less:8')
    await respond('/mcp', asked, 'less:7')
    expect(posted).toMatchObject([
      { method: 'notifications/progress', params: { progressToken: 8 } },
      { id: 7, result: { action: 'accept' } },
    ])
    finish()
    while (!(await reader?.read())?.done);
    await respond('/mcp', asked, 'less:7')
    expect(posted).toHaveLength(2)
  })

  it('gets no answer and no progress of answering at its own endpoint, whoever it asked', async () => {
    await respond('/less/mcp', {}, 7)
    await progress('/less/mcp', {}, 8)
    expect(posted.filter(({ method }) => method !== 'initialize')).toEqual([])
    const note = legacy(token, 'notifications/roots/list_changed', {}, {}, NOTIFICATION)
    expect((await gateway.fetch('/less/mcp', note)).status).toBe(202)
    expect(posted.at(-1)).toMatchObject({ method: 'notifications/roots/list_changed' })
  })
})
