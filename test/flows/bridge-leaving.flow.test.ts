import { beforeEach, describe, expect, it } from 'vitest'
import type { OpenSessionInput } from '../../src/mcp/session/session-state.ts'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'

const EVENTS = { headers: { 'content-type': 'text/event-stream' } }

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: Record<string, unknown>
}

/** A legacy server that sends its headers with the answer, or ends its streams to be polled. */
describe('a modern client of a legacy server', () => {
  let gateway: TestGateway
  let token: string
  let seen: Message[] = []
  let called: Message | undefined

  async function fetcher(request: Request): Promise<Response> {
    if (request.method === 'DELETE') return new Response(null, { status: 204 })
    if (request.method === 'GET') return polled(request.headers.get('last-event-id'))
    const message: Message = await request.json()
    seen.push(message)
    const { id } = message
    const answer = (result: object, headers = {}) =>
      Response.json({ jsonrpc: '2.0', id, result }, { headers })
    switch (message.method) {
      case 'initialize': {
        const serverInfo = { name: 'old', version: '1' }
        const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo }
        return answer(result, { 'mcp-session-id': 's' })
      }
      case 'tools/list':
        return answer({ tools: ['slow', 'poll'].map((name) => ({ name, inputSchema: {} })) })
      case 'tools/call':
        called = message
        if (message.params?.['name'] === 'poll') {
          return new Response('id: one\nretry: 1\ndata: \n\n', EVENTS)
        }
        // Until its caller gives up.
        return new Promise((_resolve, reject) => {
          request.signal.addEventListener('abort', () => reject(new Error('aborted')))
        })
      default:
        if (id === undefined) return new Response(null, { status: 202 })
        return Response.json({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } })
    }
  }

  const opened = async ({ server }: { server: string }, input: OpenSessionInput) => {
    const { server: path, endpoint } = input
    const session = { server, path, endpoint, upstreamId: 's', version: '2025-11-25' }
    return { kind: 'open', outcome: 'success', session }
  }

  function polled(lastEventId: string | null): Response {
    if (lastEventId !== 'one') return new Response(null, { status: 405 })
    const content = [{ type: 'text', text: 'polled' }]
    const whole = { jsonrpc: '2.0', id: called?.id, result: { content } }
    return new Response(`id: two\ndata: ${JSON.stringify(whole)}\n\n`, EVENTS)
  }

  beforeEach(async () => {
    seen = []
    called = undefined
    gateway = createTestGateway({
      seams: { fetcher },
      // The object has a network of its own; what it opens is tested with it.
      bindings: { BRIDGES: { getByName: () => ({ session: opened }) } as never },
    })
    token = await gateway.token()
    const body = { path: 'old', name: 'old', endpoints: [{ url: 'https://old.example/mcp' }] }
    const response = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(response.status).toBe(201)
  })

  const call = (name: string, signal?: AbortSignal) =>
    gateway.fetch('/old/mcp', {
      ...modern(token, 'tools/call', { name, arguments: {} }),
      ...(signal ? { signal } : {}),
    })

  it('cancels what it leaves, also before the server has said a word', async () => {
    const leaving = new AbortController()
    const going = call('slow', leaving.signal).catch(() => undefined)
    await expect.poll(() => called).toBeDefined()
    leaving.abort()
    await expect
      .poll(() => seen.find(({ method }) => method === 'notifications/cancelled'))
      .toMatchObject({ params: { requestId: called?.id } })
    await going
  })

  it('gets the answer of a stream that its server ended to be polled', async () => {
    const text = await (await call('poll')).text()
    expect(text).toContain('polled')
    expect(seen.filter(({ method }) => method === 'tools/call')).toHaveLength(1)
  })
})
