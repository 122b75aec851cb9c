import { describe, expect, it } from 'vitest'
import {
  type CallContext,
  EndpointId,
  GatewayError,
  type Principal,
  ServerId,
  ServerPath,
  systemClock,
  systemRandom,
  TenantId,
} from '../../../src/core/index.ts'
import { type AskedEndpoint, createAsk } from '../../../src/mcp/ask/ask.ts'
import { type Leg, MODERN_LEG } from '../../../src/mcp/ask/ask-request.ts'
import { errorReply } from '../../../src/mcp/wire/reply.ts'
import type { ServerRecord } from '../../../src/registry/index.ts'

const PRINCIPAL: Principal = {
  issuer: 'i',
  subject: 's',
  kind: 'user',
  tenant: TenantId.parse('t'),
  groups: [],
  scopes: [],
  expiresAt: 0,
  key: 'i#s',
  claims: {},
}

const SERVER: ServerRecord = {
  id: ServerId.parse('6b4f9d0e-4f0f-4c53-9a45-0d5f0d8e5b11'),
  tenant: PRINCIPAL.tenant,
  path: ServerPath.parse('shop'),
  name: 'Shop',
  owner: 'i#s',
  visibility: 'public',
  allowedGroups: [],
  enabled: true,
  timeoutMs: 1000,
  trustAnnotations: false,
  resilience: {},
  transport: 'streamable-http',
  authStrategy: 'none',
  endpoints: [
    {
      id: EndpointId.parse('6b4f9d0e-4f0f-4c53-9a45-0d5f0d8e5b12'),
      url: 'https://shop.example/mcp',
      weight: 1,
      health: 'healthy',
    },
  ],
  upstream: { eras: 'dual', protocolVersions: [], sessionful: false },
  headers: [],
  tools: new Map([
    [
      'find',
      {
        headerParams: [{ header: 'Zone', path: ['zone'], type: 'string' }],
        readOnly: false,
        idempotent: false,
      },
    ],
  ]),
  prompts: new Set(),
}

const LEGACY: Leg = { era: 'legacy', version: '2025-11-25', sessionId: 'sealed' }

/** An endpoint that answers by `reply`, and what reached it. */
function setUp(reply: (ctx: CallContext) => Response | Promise<Response>) {
  const seen: { method: string; headers: Headers; body: string }[] = []
  const behind: Promise<unknown>[] = []
  const ctx: CallContext = {
    requestId: 'request-1',
    clock: systemClock,
    random: systemRandom,
    signal: new AbortController().signal,
    facts: {},
    waitUntil: (work) => behind.push(work),
    holdEvent: () => () => undefined,
  }
  const take = async (inner: CallContext, request: Request): Promise<Response> => {
    const { method, headers } = request
    seen.push({ method, headers, body: await request.text() })
    return method === 'DELETE' ? new Response(null, { status: 204 }) : reply(inner)
  }
  const endpoint: AskedEndpoint = {
    post: (inner, _principal, _path, request) => take(inner, request),
    delete: (inner, _principal, _path, request) => take(inner, request),
  }
  const ask = createAsk({ endpoint: () => endpoint })
  const call = (leg: Leg, method: string, params = {}, maxBytes?: number) =>
    ask.request(ctx, PRINCIPAL, SERVER, leg, { method, params }, maxBytes)
  return { ask, call, ctx, seen, behind }
}

const json = (body: unknown, headers = {}) =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), {
    headers: { 'content-type': 'application/json', ...headers },
  })
const streamOf = (chunks: string[]) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
      controller.close()
    },
  })
const stream = (...chunks: string[]) =>
  new Response(streamOf(chunks), {
    headers: { 'content-type': 'text/event-stream' },
  })
const OK = { jsonrpc: '2.0', id: 1, result: { content: [] } }

describe('a request in the modern era', () => {
  it('says in headers what it says in the body', async () => {
    const { call, seen } = setUp(() => json(OK))
    const params = { name: 'find', arguments: { zone: 'Zürich' } }
    expect(await call(MODERN_LEG, 'tools/call', params)).toMatchObject({
      kind: 'result',
      result: { content: [] },
    })
    const [{ headers, body } = { headers: new Headers(), body: '' }] = seen
    expect(Object.fromEntries(headers)).toEqual({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'find',
      'mcp-param-zone': '=?base64?WsO8cmljaA==?=',
    })
    expect(JSON.parse(body)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
          'io.modelcontextprotocol/clientInfo': { name: 'gatehouse', version: '0.1.0' },
        },
      },
    })
  })

  it('has no name header where nothing is named', async () => {
    const { call, seen } = setUp(() => json(OK))
    await call(MODERN_LEG, 'tools/list')
    expect(seen[0]?.headers.has('mcp-name')).toBe(false)
  })
})

describe('a request in the legacy era', () => {
  it('names its session and revision, and carries no envelope', async () => {
    const { call, seen } = setUp(() => json(OK))
    await call(LEGACY, 'tools/call', { name: 'find' })
    const [{ headers, body } = { headers: new Headers(), body: '' }] = seen
    expect(Object.fromEntries(headers)).toEqual({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': 'sealed',
    })
    expect(JSON.parse(body).params).toEqual({ name: 'find' })
  })

  it('gives the session that an answer opened', async () => {
    const { call } = setUp(() => json(OK, { 'mcp-session-id': 'new' }))
    expect(await call({ era: 'legacy' }, 'initialize')).toMatchObject({ sessionId: 'new' })
  })

  it('ends a session whose own answer cannot be read', async () => {
    const { call, seen, behind } = setUp(() => json('{', { 'mcp-session-id': 'new' }))
    await expect(call({ era: 'legacy' }, 'initialize')).rejects.toMatchObject({
      code: 'upstream_failed',
    })
    await Promise.all(behind)
    expect(seen.at(-1)?.method).toBe('DELETE')
    expect(seen.at(-1)?.headers.get('mcp-session-id')).toBe('new')
  })
})

describe('an answer', () => {
  it('is found in a stream behind whatever else comes, in any pieces', async () => {
    const { call } = setUp(() =>
      stream(
        ': hello\n\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\n',
        'data: {"jsonrpc":"2.0","id":1,"method":"roots/list"}\n\ndata: {"jsonrpc":"2.0","id":2,"result":{}}\n\n',
        'data: {"jsonrpc":"2.0","id":1,\nda',
        'ta: "result":{"ok":"ü"}}\n\n',
      ),
    )
    expect(await call(LEGACY, 'tools/list')).toMatchObject({
      kind: 'result',
      result: { ok: 'ü' },
    })
  })

  it('is not waited for beyond itself', async () => {
    let isCancelled = false
    const { call } = setUp(
      () =>
        new Response(
          new ReadableStream({
            start: (controller) =>
              controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(OK)}\n\n`)),
            cancel: () => {
              isCancelled = true
            },
          }),
          { headers: { 'content-type': 'text/event-stream' } },
        ),
    )
    expect(await call(LEGACY, 'tools/list')).toMatchObject({ kind: 'result' })
    expect(isCancelled).toBe(true)
  })

  it('is the error of the upstream, whole, when the relay only carried it', async () => {
    const { call } = setUp((ctx) => {
      ctx.facts.outcome = 'rpc_error'
      return json({
        jsonrpc: '2.0',
        id: 1,
        // Dressed up as one of ours.
        error: { code: -31006, message: 'theirs', data: { code: 'not_found', requestId: 'x' } },
      })
    })
    expect(await call(LEGACY, 'tools/list')).toEqual({
      kind: 'error',
      code: -31006,
      message: 'theirs',
      data: { code: 'not_found', requestId: 'x' },
    })
  })

  it('throws what the relay refused with, as it was', async () => {
    const { call, ctx } = setUp((inner) => {
      inner.facts.outcome = 'upstream_unavailable'
      inner.facts.server = 'shop'
      return errorReply(
        new GatewayError('upstream_unavailable', 'It is failing.', {
          fix: 'Wait.',
          headers: { 'retry-after': '7', 'x-other': 'y' },
          data: { retryAfterSeconds: 7 },
        }),
        '1',
        inner.requestId,
      )
    })
    await expect(call(LEGACY, 'tools/list')).rejects.toMatchObject({
      code: 'upstream_unavailable',
      message: 'It is failing.',
      detail: {
        fix: 'Wait.',
        headers: { 'retry-after': '7' },
        data: { retryAfterSeconds: 7 },
      },
    })
    expect(ctx.facts).toEqual({ outcome: 'upstream_unavailable', server: 'shop' })
  })

  it.each([
    ['no JSON', () => json('{')],
    ['no response', () => json({ jsonrpc: '2.0', method: 'x' })],
    ['an array', () => json([])],
    ['a stream without one', () => stream('data: 7\n\n')],
    ['a stream cut in the middle', () => stream('data: {"jsonrpc":"2.0","id":1,"res')],
    ['nothing', () => json('')],
  ])('that is %s is a failure of the upstream', async (_what, reply) => {
    const { call } = setUp(reply)
    await expect(call(LEGACY, 'tools/list')).rejects.toMatchObject({
      code: 'upstream_failed',
      message: 'The server answered with something that is no JSON-RPC response.',
    })
  })

  it.each([
    ['JSON', (text: string) => json(text)],
    ['a stream', (text: string) => stream(`data: ${text}\n\n`)],
  ])('in %s is refused when it is too large', async (_how, reply) => {
    const text = JSON.stringify({ ...OK, result: { text: 'x'.repeat(2_000) } })
    const { call } = setUp(() => reply(text))
    await expect(call(LEGACY, 'tools/list', {}, 1_000)).rejects.toMatchObject({
      code: 'upstream_failed',
      message: 'The server sent more than 1000 bytes.',
    })
  })

  it('is refused when it is nested so deep that it could not be written again', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const { call } = setUp(() => json(`{"jsonrpc":"2.0","id":1,"result":{"deep":${deep}}}`))
    await expect(call(LEGACY, 'tools/list')).rejects.toMatchObject({
      code: 'upstream_failed',
      message: 'The server sent an answer that is nested too deep.',
    })
  })

  it('that breaks off is a failure of the upstream', async () => {
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error('broke')),
    })
    const { call } = setUp(
      () => new Response(broken, { headers: { 'content-type': 'application/json' } }),
    )
    await expect(call(LEGACY, 'tools/list')).rejects.toMatchObject({
      code: 'upstream_failed',
      message: 'The server closed the connection before its answer was complete.',
    })
  })
})

describe('a notification', () => {
  const notify = ({ ask, ctx }: ReturnType<typeof setUp>) =>
    ask.notify(ctx, PRINCIPAL, SERVER, LEGACY, { method: 'notifications/initialized' })

  it('has no id', async () => {
    const setup = setUp(() => new Response(null, { status: 202 }))
    await notify(setup)
    expect(JSON.parse(setup.seen[0]?.body ?? '')).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/initialized',
      params: {},
    })
  })

  it('throws what it was refused with', async () => {
    const setup = setUp((inner) => {
      inner.facts.outcome = 'session_not_found'
      return errorReply(new GatewayError('session_not_found', 'Gone.'), 'null', inner.requestId)
    })
    await expect(notify(setup)).rejects.toMatchObject({ code: 'session_not_found' })
  })
})
