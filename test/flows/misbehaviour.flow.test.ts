import { beforeAll, describe, expect, inject, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const origin = () => inject('scriptedOrigin')
const DUAL = () => [{ url: `${origin()}/dual` }]

async function register(gateway: TestGateway, token: string, body: object): Promise<Response> {
  return gateway.fetch(
    '/api/v1/servers',
    rest(token, 'POST', { name: 'One', path: 'one', ...body }),
  )
}

describe('an upstream that answers 400 to a call', () => {
  let answer: () => Response = () => new Response(null)
  let calls = 0
  const fetcher = async (request: Request): Promise<Response> => {
    const text = await request.clone().text()
    if (!text.includes('"tools/call"')) return fetch(request)
    calls += 1
    return answer()
  }
  const gateway = createTestGateway({ seams: { fetcher } })
  let token: string
  let headers: Record<string, string>

  beforeAll(async () => {
    token = await gateway.token()
    expect((await register(gateway, token, { endpoints: DUAL(), timeoutMs: 1_000 })).status).toBe(
      201,
    )
    const opened = await gateway.fetch('/one/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
  })

  async function call() {
    calls = 0
    const params = { name: 'pay', arguments: {} }
    const response = await gateway.fetch('/one/mcp', legacy(token, 'tools/call', params, headers))
    return { status: response.status, body: await response.json<Record<string, unknown>>() }
  }

  const json = { 'content-type': 'application/json' }

  // req: session-no-unsafe-replay
  it('about something else than the session is not called again, though it names a session', async () => {
    const error = { code: -32_000, message: 'payment done but session record could not be stored' }
    answer = () => Response.json({ jsonrpc: '2.0', id: 1, error }, { status: 400 })
    expect(await call()).toMatchObject({ status: 400, body: { id: 1, error } })
    expect(calls).toBe(1)
  })

  it.each<[string, () => Response]>([
    ['with a large page', () => new Response('x'.repeat(100_000), { status: 400 })],
    [
      'with bytes that are no text',
      () => new Response(new Uint8Array([0xff, 0xfe]), { status: 400, headers: json }),
    ],
    [
      'and then falls silent',
      () =>
        new Response(new ReadableStream({ start: (to) => to.enqueue(new Uint8Array([0x7b])) }), {
          status: 400,
          headers: json,
        }),
    ],
  ])('%s is the one to blame', async (_how, response) => {
    answer = response
    expect(await call()).toMatchObject({
      status: 200,
      body: { id: 1, error: { code: -31012, data: { code: 'upstream_failed' } } },
    })
    expect(calls).toBe(1)
  })
})

describe('an upstream that knows no session', () => {
  // req: session-reopened-once
  it('is asked for one more, and the call is not sent a third time', async () => {
    const asked: string[] = []
    const gateway = createTestGateway({
      seams: {
        async fetcher(request) {
          const text = await request.clone().text()
          const { method = request.method } = JSON.parse(text || '{}')
          asked.push(method)
          const isLost = method === 'tools/call' || method === 'GET'
          return isLost ? new Response('gone', { status: 404 }) : fetch(request)
        },
      },
    })
    const token = await gateway.token()
    expect((await register(gateway, token, { endpoints: DUAL() })).status).toBe(201)
    const opened = await gateway.fetch('/one/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    asked.length = 0
    const params = { name: 'pay', arguments: {} }
    const called = await gateway.fetch('/one/mcp', legacy(token, 'tools/call', params, headers))
    expect(called.status).toBe(200)
    expect(await called.json()).toMatchObject({
      error: { code: -31012, data: { code: 'upstream_failed' } },
    })
    // The session is opened by its object, which has a way out of its own.
    expect(asked).toEqual(['tools/call', 'tools/call'])
    asked.length = 0
    const accept = { accept: 'text/event-stream', authorization: `Bearer ${token}` }
    const stream = await gateway.fetch('/one/mcp', { headers: { ...headers, ...accept } })
    expect(stream.status).toBe(405)
    expect(asked).toEqual(['GET', 'GET'])
  })
})

describe('guessing', () => {
  it('is not free: unknown servers and tools count against the limit', async () => {
    const gateway = createTestGateway({ vars: { LIMIT_PRINCIPAL_PER_MINUTE: '5' } })
    const token = await gateway.token({ subject: 'mallory' })
    const statuses: number[] = []
    for (let index = 0; index < 7; index += 1) {
      const guess = modern(token, 'tools/list')
      statuses.push((await gateway.fetch(`/guess-${index}/mcp`, guess)).status)
    }
    expect(statuses).toEqual([404, 404, 404, 404, 404, 429, 429])
  })
})

describe('a server', () => {
  it.each(['http://gatehouse.test/one/mcp', 'http://GATEHOUSE.test:80/two/mcp'])(
    'cannot be the gateway itself: %s',
    async (url) => {
      const gateway = createTestGateway({ vars: { PRIVATE_UPSTREAMS: 'gatehouse.test' } })
      const response = await register(gateway, await gateway.token(), { endpoints: [{ url }] })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        code: 'invalid_params',
        problems: [{ message: expect.stringContaining('points to this gateway itself') }],
      })
    },
  )

  it('whose list is endless is refused, not read', async () => {
    let sent = 0
    const page = new Uint8Array(1024 * 1024).fill(0x20)
    const gateway = createTestGateway({
      seams: {
        async fetcher(request) {
          const text = await request.clone().text()
          if (!text.includes('"tools/list"')) return fetch(request)
          const body = new ReadableStream<Uint8Array>({
            pull(to) {
              sent += page.byteLength
              to.enqueue(page)
            },
          })
          return new Response(body, { headers: { 'content-type': 'application/json' } })
        },
      },
    })
    const response = await register(gateway, await gateway.token(), {
      endpoints: [{ url: `${origin()}/modern` }],
    })
    expect(response.status).toBe(422)
    expect(sent).toBeLessThan(32 * 1024 * 1024)
  })

  it('that was changed while it was refreshed keeps the change: 409', async () => {
    let during: (() => Promise<unknown>) | undefined
    let now = Date.now()
    const gateway = createTestGateway({
      seams: {
        clock: { now: () => now },
        async fetcher(request) {
          const text = await request.clone().text()
          if (text.includes('"tools/list"')) {
            const act = during
            during = undefined
            await act?.()
          }
          return fetch(request)
        },
      },
    })
    const token = await gateway.token()
    expect((await register(gateway, token, { endpoints: DUAL() })).status).toBe(201)
    during = () => {
      now += 1_000
      return gateway.fetch('/api/v1/servers/one', rest(token, 'PATCH', { name: 'Changed' }))
    }
    now += 1_000
    const refreshed = await gateway.fetch('/api/v1/servers/one/refresh', rest(token, 'POST'))
    expect(refreshed.status).toBe(409)
    expect(await refreshed.json()).toMatchObject({ code: 'conflict' })
    const stored = await gateway.fetch('/api/v1/servers/one', rest(token, 'GET'))
    expect(await stored.json()).toMatchObject({ name: 'Changed' })
  })
})
