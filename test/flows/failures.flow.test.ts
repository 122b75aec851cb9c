import { env } from 'cloudflare:workers'
import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestGateway, hello, legacy, modern, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { FIRST_EVENT } from '../support/scripted-tools.ts'

const call = (token: string, name: string, args: object = {}) =>
  modern(token, 'tools/call', { name, arguments: args }, {}, 'mine')
const echo = (token: string) => call(token, 'echo', { message: 'hi' })

const LOST = 'The connection to the server "scripted" failed or was closed before it answered.'
/** What the error of a stream says. */
interface Said {
  readonly message: string
  readonly rpc?: number
  readonly code?: string
}

const CUT = 'The server "scripted" closed the connection before its answer was complete.'
const REDIRECT = 'The server "scripted" answered with a redirect, which is never followed.'
const MUTE: Said = {
  message: 'The server "scripted" said nothing for 1 s before its answer was complete.',
  rpc: -31015,
  code: 'upstream_timeout',
}
const TIMEOUT = 'The server "scripted" did not answer within 1000 ms.'
const FORBIDDEN = 'The address of the server "scripted" is not allowed; the request was not sent.'
const refused = (status: number) =>
  `The server "scripted" refused the gateway's credentials (HTTP ${status}).`
const noAnswer = (status: number) =>
  `The server "scripted" answered with HTTP ${status}, which is not an MCP answer.`

describe('an upstream that fails', () => {
  const room = scriptedRoom('failures')
  const target = scriptedRoom('failures-target')
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ vars: { BREAKER_FAILURE_THRESHOLD: '1000' } })
    token = await gateway.token()
    await room.register(gateway, token, { timeoutMs: 1_000 })
  })

  beforeEach(async () => {
    await room.log()
    gateway.events.length = 0
  })

  const send = (name: string, args: object = {}) =>
    gateway.fetch('/scripted/mcp', call(token, name, args))
  const toolCalls = async () =>
    (await room.log()).log.filter(({ body }) => body.includes('"tools/call"'))

  /** One event line that says so, one request upstream, and the next call is served. */
  async function expectAftermath(tool: string, outcome: string): Promise<void> {
    const lines = gateway.events.filter(({ type }) => type === 'request')
    expect(lines).toMatchObject([{ tool, outcome, status: 200, server: 'scripted' }])
    expect(await toolCalls()).toHaveLength(1)
    const next = await gateway.fetch('/scripted/mcp', echo(token))
    expect(next.status).toBe(200)
    expect(await next.json()).toMatchObject({
      id: 'mine',
      result: { content: [{ text: '{"message":"hi"}' }] },
    })
  }

  it.each<[string, string, object, string]>([
    ['dies before its headers', 'die_before', {}, LOST],
    ['dies before the first byte of its JSON', 'die_at_json', {}, CUT],
    ['dies in the middle of its JSON', 'die_mid_json', {}, CUT],
    ['answers with nothing', 'empty', {}, CUT],
    ['answers with HTML', 'html', {}, noAnswer(200)],
    ['answers 500', 'status', { status: 500 }, noAnswer(500)],
    ['answers 502', 'status', { status: 502 }, noAnswer(502)],
    ['answers 429', 'status', { status: 429 }, noAnswer(429)],
    ['answers 405', 'status', { status: 405 }, noAnswer(405)],
    ['answers 404 without an error of MCP', 'status', { status: 404 }, noAnswer(404)],
    ['answers 400 without an error of MCP', 'status', { status: 400 }, noAnswer(400)],
    ['answers 202', 'status', { status: 202 }, noAnswer(202)],
    ['answers 401', 'status', { status: 401 }, refused(401)],
    ['answers 403', 'status', { status: 403 }, refused(403)],
    ['redirects', 'redirect', { to: '/modern/failures-target' }, REDIRECT],
    ['redirects to metadata', 'redirect', { to: 'http://169.254.169.254/latest' }, REDIRECT],
  ])('and %s costs its caller one clean error', async (_how, tool, args, message) => {
    const response = await send(tool, args)
    expect(response.status).toBe(200)
    expect([...response.headers.keys()].sort()).toEqual([
      'cache-control',
      'content-type',
      'ratelimit',
      'ratelimit-policy',
      'x-content-type-options',
      'x-request-id',
    ])
    expect(response.headers.get('content-type')).toBe('application/json')
    const body = await response.text()
    expect(JSON.parse(body)).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31012,
        message,
        data: {
          code: 'upstream_failed',
          fix: expect.stringMatching(/\w/),
          requestId: response.headers.get('x-request-id'),
        },
      },
    })
    expect(body).not.toContain(inject('scriptedOrigin'))
    expect(body).not.toContain('127.0.0.1')
    await expectAftermath(tool, 'upstream_failed')
    expect((await target.log()).log).toEqual([])
  })

  // That its connection is closed with the request: `hung-calls.e2e.test.ts`.
  it('and never sends headers is given up after timeoutMs', async () => {
    const response = await send('silent')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31015,
        message: TIMEOUT,
        data: {
          code: 'upstream_timeout',
          fix: 'Whether the request took effect is unknown; check before you send it again. Some work takes longer: see timeoutMs.',
          requestId: response.headers.get('x-request-id'),
        },
      },
    })
    expect((await room.log()).log).toHaveLength(1)
    expect(gateway.events).toMatchObject([{ tool: 'silent', outcome: 'upstream_timeout' }])
  })

  const errorEvent = (
    response: Response,
    { message, rpc = -31012, code = 'upstream_failed' }: Said,
  ) =>
    `event: message\ndata: ${JSON.stringify({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: rpc,
        message,
        data: {
          code,
          fix: 'Whether the request took effect is unknown; check before you send it again.',
          requestId: response.headers.get('x-request-id'),
        },
      },
    })}\n\n`

  it.each<[string, string, Said]>([
    ['dies in the middle of its stream', 'die_mid_sse', { message: CUT }],
    ['ends its stream without an answer', 'sse_no_answer', { message: CUT }],
    ['falls silent in its stream', 'hang', MUTE],
    ['dies in the middle of the answer on its stream', 'die_mid_answer', { message: CUT }],
  ])('and %s: its last event is an error with the id of the client', async (_how, tool, said) => {
    const response = await send(tool)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toBe(`${FIRST_EVENT}${errorEvent(response, said)}`)
    await expectAftermath(tool, said.code ?? 'upstream_failed')
  })

  it.each([
    'http://169.254.169.254/',
    'http://[fd00:ec2::254]/',
    'http://10.0.0.1/mcp',
    'http://0xa9fea9fe/',
    'ftp://127.0.0.1/mcp',
    'http://metadata.google.internal/',
  ])('is not called at %s, whoever wrote that into the registry', async (url) => {
    const moved = createTestGateway()
    const own = await moved.token()
    await room.register(moved, own)
    await env.DB.prepare('update endpoints set url = ? where tenant = ?')
      .bind(url, moved.tenant)
      .run()
    const fresh = createTestGateway({ tenant: moved.tenant })
    const response = await fresh.fetch('/scripted/mcp', echo(own))
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31012,
        message: FORBIDDEN,
        data: {
          code: 'upstream_failed',
          fix: 'Ask an administrator to correct its endpoint.',
          requestId: response.headers.get('x-request-id'),
        },
      },
    })
    expect(fresh.work.fetches).toBe(0)
  })

  it('to close its stream after the answer has done no harm', async () => {
    const response = await send('answer_and_hang')
    expect(await response.text()).toBe(
      `${FIRST_EVENT}data: {"jsonrpc":"2.0","id":"mine","result":{"content":[]}}\n\n`,
    )
    await expectAftermath('answer_and_hang', 'ok')
  })

  it('in a legacy session costs its caller the same clean error', async () => {
    const endpoints = [{ url: room.url('dual') }]
    await room.register(gateway, token, { path: 'relic', endpoints })
    const opened = await gateway.fetch('/relic/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    const headers = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const ask = (name: string) =>
      gateway.fetch('/relic/mcp', legacy(token, 'tools/call', { name, arguments: {} }, headers, 3))
    const dead = await ask('die_before')
    expect(dead.status).toBe(200)
    expect(await dead.json()).toMatchObject({
      jsonrpc: '2.0',
      id: 3,
      error: { code: -31012, message: LOST.replace('scripted', 'relic') },
    })
    const next = await ask('echo')
    expect(await next.json()).toMatchObject({ id: 3, result: { content: [{ text: '{}' }] } })
  })
})

describe('a retry', () => {
  const room = scriptedRoom('retries')
  const VARS = { BREAKER_FAILURE_THRESHOLD: '1000' }

  async function gatewayFor(body: object): Promise<{ gateway: TestGateway; token: string }> {
    const gateway = createTestGateway({ vars: VARS })
    const token = await gateway.token()
    await room.register(gateway, token, body)
    await room.log()
    return { gateway, token }
  }

  async function sent(): Promise<{ method: string; id: string }[]> {
    return (await room.log()).log.map(({ body }) => JSON.parse(body))
  }

  // req: session-no-unsafe-replay
  it.each(['die_before', 'die_at_json', 'status'])(
    'is never made for a tool, whatever became of the call (%s)',
    async (name) => {
      const { gateway, token } = await gatewayFor({})
      const response = await gateway.fetch('/scripted/mcp', call(token, name, { status: 503 }))
      expect(await response.json()).toMatchObject({ error: { data: { code: 'upstream_failed' } } })
      expect(await sent()).toHaveLength(1)
    },
  )

  it('is made once for a tool that is read-only where annotations are trusted', async () => {
    const { gateway, token } = await gatewayFor({ trustAnnotations: true })
    await room.control({ failNext: 1 })
    const response = await gateway.fetch('/scripted/mcp', echo(token))
    expect(await response.json()).toMatchObject({ id: 'mine', result: {} })
    expect(await sent()).toHaveLength(2)
    expect(gateway.events.at(-1)).toMatchObject({ outcome: 'ok', attempts: 2 })

    await room.control({ failNext: 1 })
    const other = await gateway.fetch('/scripted/mcp', call(token, 'region'))
    expect(await other.json()).toMatchObject({ error: { message: LOST } })
    expect(await sent()).toHaveLength(1)
  })

  it('is not made for a tool that only says that it is read-only', async () => {
    const { gateway, token } = await gatewayFor({ trustAnnotations: false })
    await room.control({ failNext: 1 })
    const response = await gateway.fetch('/scripted/mcp', echo(token))
    expect(await response.json()).toMatchObject({ error: { message: LOST } })
    expect(await sent()).toHaveLength(1)
  })

  it.each([
    ['tools/list', {}],
    ['resources/read', { uri: 'test://x' }],
  ])('is made once for %s, and no more', async (method, params) => {
    const { gateway, token } = await gatewayFor({})
    await room.control({ failNext: 1 })
    const served = await gateway.fetch('/scripted/mcp', modern(token, method, params, {}, 'mine'))
    const body = await served.text()
    expect(body).toContain('"id":"mine"')
    expect(body).not.toContain('upstream_failed')
    expect(await sent()).toMatchObject([{ method }, { method }])

    await room.control({ failNext: 2 })
    const failed = await gateway.fetch('/scripted/mcp', modern(token, method, params, {}, 'mine'))
    expect(failed.status).toBe(200)
    expect(await failed.json()).toMatchObject({ id: 'mine', error: { message: LOST } })
    expect(await sent()).toHaveLength(2)
  })
})
