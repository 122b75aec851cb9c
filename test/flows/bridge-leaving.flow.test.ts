import { beforeEach, describe, expect, it } from 'vitest'
import type { OpenSessionInput } from '../../src/mcp/session/session-state.ts'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'

const EVENTS = { headers: { 'content-type': 'text/event-stream' } }

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: Record<string, unknown>
}

/** A stream that never ends: the beginning of an event, of so many mebibytes. */
function beginning(mebibytes = 0): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(to) {
      to.enqueue(new TextEncoder().encode('data: {"jsonrpc":"2.0",'))
      for (let at = 0; at < mebibytes; at += 1) to.enqueue(new Uint8Array(1024 * 1024).fill(0x20))
    },
  })
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
        return answer({
          tools: ['slow', 'poll', 'mute', 'flood'].map((name) => ({ name, inputSchema: {} })),
        })
      case 'tools/call':
        called = message
        if (message.params?.['name'] === 'poll') {
          return new Response('id: one\nretry: 1\ndata: \n\n', EVENTS)
        }
        if (message.params?.['name'] === 'mute') return new Response(beginning(), EVENTS)
        if (message.params?.['name'] === 'flood') return new Response(beginning(9), EVENTS)
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
    const endpoints = [{ url: 'https://old.example/mcp' }]
    const body = { path: 'old', name: 'old', timeoutMs: 1_000, endpoints }
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

  it.each([
    ['mute', 'upstream_timeout', 'said nothing for 1 s before its answer was complete'],
    ['flood', 'upstream_failed', 'is larger than 8388608 bytes'],
  ])('is told why it gets no answer (%s)', async (name, code, why) => {
    const text = await (await call(name)).text()
    expect(text).toContain(why)
    expect(text).toContain(`"code":"${code}"`)
    const line = gateway.events.find((event) => event['tool'] === name)
    expect(line).toMatchObject({ outcome: code })
  })

  it('gets the answer of a stream that its server ended to be polled', async () => {
    const text = await (await call('poll')).text()
    expect(text).toContain('polled')
    expect(seen.filter(({ method }) => method === 'tools/call')).toHaveLength(1)
  })
})
