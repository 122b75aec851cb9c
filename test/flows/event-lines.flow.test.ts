import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  NOTIFICATION,
  PUBLIC_URL,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

/** Planted where nothing may ever be logged. */
const CANARY = {
  argument: 'canary-argument-7e1f',
  result: 'canary-result-7e1f',
  custom: 'canary-custom-header-7e1f',
  subject: 'canary-subject-7e1f',
  query: 'canary-query-7e1f',
  caller: 'canary-caller-header-7e1f',
  fault: 'canary-fault-7e1f.example',
  description: 'canary-description-7e1f',
}

type Mood = 'well' | 'tool error' | 'rpc error' | 'http error' | 'redirect' | 'broken'

const fake = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
let mood: Mood = 'well'

/** The fake upstream, which says the canary in whatever it answers to a call. */
async function fetcher(request: Request): Promise<Response> {
  if (mood === 'broken') throw new Error(`connect to ${CANARY.fault} refused`)
  if (mood === 'http error') return new Response(CANARY.result, { status: 500 })
  if (mood === 'redirect') {
    return new Response(null, { status: 307, headers: { location: `https://${CANARY.fault}/` } })
  }
  const response = await fake.fetcher(request)
  const text = await response.text()
  const { status, headers } = response
  if (!text.includes('ran echo')) return new Response(text || null, { status, headers })
  const isError = mood === 'tool error' ? '"isError":true,' : ''
  const edited =
    mood === 'rpc error'
      ? text.replace(/"result":.*$/, `"error":{"code":-32000,"message":"${CANARY.result}"}}`)
      : text.replace('ran echo', CANARY.result).replace('"result":{', `"result":{${isError}`)
  return new Response(edited, { status, headers })
}

let gateway: TestGateway
let token: string

const call = (headers: Record<string, string> = {}) =>
  modern(
    token,
    'tools/call',
    { name: 'echo', arguments: { text: CANARY.argument } },
    { 'x-custom': CANARY.caller, cookie: CANARY.caller, ...headers },
    CANARY.argument,
  )

/** Sends, reads the answer to its end, and gives it with the lines that came of it. */
async function linesOf(path: string, init?: RequestInit) {
  gateway.events.length = 0
  const { response, settle } = await gateway.fetchWith(path, init)
  const text = await response.text()
  await settle()
  const lines = gateway.events.filter(({ type }) => type === 'request')
  return { status: response.status, text, lines }
}

beforeAll(async () => {
  gateway = createTestGateway({
    seams: { fetcher },
    vars: {
      BOOTSTRAP_ADMIN: JSON.stringify({
        issuer: PUBLIC_URL,
        subject: CANARY.subject,
        breakGlass: true,
      }),
      BREAKER_FAILURE_THRESHOLD: '1000',
    },
  })
  token = await gateway.token({ subject: CANARY.subject })
  const server = {
    path: 'shop',
    name: 'Shop',
    description: CANARY.description,
    headers: { 'x-api-key': CANARY.custom },
    endpoints: [{ url: 'https://shop.example/mcp' }],
  }
  const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
  expect(created.status).toBe(201)
})

beforeEach(() => {
  mood = 'well'
})

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
const PRINCIPAL = expect.stringMatching(/^http:\/\/gatehouse\.test#[0-9a-f]{16}$/)

describe('an event line', () => {
  it('says of a modern call who, where, what and how it went, and nothing else', async () => {
    const { text, lines } = await linesOf('/shop/mcp', call({ 'x-request-id': 'event-line-1' }))
    expect(text).toContain(CANARY.result)
    expect(lines).toEqual([
      {
        time: TIME,
        type: 'request',
        requestId: 'event-line-1',
        httpMethod: 'POST',
        route: '/:server/mcp',
        status: 200,
        outcome: 'ok',
        durationMs: expect.any(Number),
        principal: PRINCIPAL,
        tenant: gateway.tenant,
        server: 'shop',
        endpoint: expect.stringMatching(/^[0-9a-f-]{36}$/),
        era: 'modern',
        method: 'tools/call',
        tool: 'echo',
        upstreamMs: expect.any(Number),
        attempts: 1,
      },
    ])
  })

  it('says the same of a legacy call', async () => {
    const init = legacy(token, 'tools/call', { name: 'echo', arguments: { a: CANARY.argument } })
    const { lines } = await linesOf('/shop/mcp', init)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ era: 'legacy', tool: 'echo', outcome: 'ok', attempts: 1 })
  })

  it('is written for a management request by its route, not by its path', async () => {
    const { lines } = await linesOf(`/api/v1/servers/shop`, rest(token, 'GET'))
    expect(lines).toEqual([
      {
        time: TIME,
        type: 'request',
        requestId: expect.any(String),
        httpMethod: 'GET',
        route: '/api/v1/servers/:path',
        status: 200,
        outcome: 'ok',
        durationMs: expect.any(Number),
        principal: PRINCIPAL,
        tenant: gateway.tenant,
      },
    ])
  })

  it.each<[Mood, object]>([
    ['tool error', { status: 200, outcome: 'tool_error' }],
    ['rpc error', { status: 200, outcome: 'rpc_error' }],
    ['http error', { status: 200, outcome: 'upstream_failed' }],
    ['redirect', { status: 200, outcome: 'upstream_failed' }],
    ['broken', { status: 200, outcome: 'upstream_failed' }],
  ])('tells a %s from success', async (now, expected) => {
    mood = now
    const { lines } = await linesOf('/shop/mcp', call())
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ server: 'shop', tool: 'echo', ...expected })
  })

  it.each<[string, string, () => RequestInit | undefined, object]>([
    [
      'no token',
      '/shop/mcp',
      () => ({ method: 'POST' }),
      { status: 401, outcome: 'unauthenticated' },
    ],
    [
      'a bad token',
      '/api/v1/me',
      () => rest('x.y.z', 'GET'),
      { status: 401, outcome: 'unauthenticated' },
    ],
    ['no such path', '/x/y/z', () => undefined, { status: 404, outcome: 'not_found' }],
    [
      'no such server',
      '/gone/mcp',
      () => call(),
      { status: 404, outcome: 'not_found', server: 'gone' },
    ],
    [
      'a foreign origin',
      '/shop/mcp',
      () => call({ origin: 'https://evil.example' }),
      { status: 403, outcome: 'origin_forbidden' },
    ],
    [
      'a foreign host',
      '/shop/mcp',
      () => call({ host: 'evil.example' }),
      { status: 403, outcome: 'host_forbidden' },
    ],
    ['a preflight', '/shop/mcp', () => ({ method: 'OPTIONS' }), { status: 204, outcome: 'ok' }],
    [
      'a lying header',
      '/shop/mcp',
      () => call({ 'mcp-name': 'other' }),
      { status: 400, outcome: 'header_mismatch' },
    ],
    [
      'no JSON',
      '/shop/mcp',
      () => ({ ...call(), body: CANARY.argument }),
      { status: 400, outcome: 'parse_error' },
    ],
    [
      'a notification',
      '/shop/mcp',
      () => legacy(token, 'notifications/initialized', {}, {}, NOTIFICATION),
      { status: 202, outcome: 'ok' },
    ],
    [
      'a legacy hello',
      '/shop/mcp',
      () => legacy(token, 'initialize', hello()),
      { status: 200, outcome: 'ok', method: 'initialize' },
    ],
    [
      'a GET',
      '/shop/mcp',
      () => rest(token, 'GET'),
      { status: 405, outcome: 'method_not_allowed' },
    ],
    [
      'an unknown query',
      `/api/v1/me?q=${CANARY.query}`,
      () => rest(token, 'GET'),
      { status: 400, outcome: 'invalid_params' },
    ],
    ['health', '/health', () => undefined, { status: 200, outcome: 'ok', route: '/health' }],
    ['the OpenAPI document', '/openapi.json', () => undefined, { status: 200, outcome: 'ok' }],
  ])('is written once for %s', async (_what, path, init, expected) => {
    const { status, lines } = await linesOf(path, init())
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ durationMs: expect.any(Number), ...expected })
    expect(lines[0]?.['status']).toBe(status)
  })

  it('is written when a stream has ended, not when it began', async () => {
    fake.answersBy = 'sse'
    gateway.events.length = 0
    const response = await gateway.fetch('/shop/mcp', modern(token, 'tools/list'))
    expect(gateway.events.filter(({ type }) => type === 'request')).toEqual([])
    await response.text()
    expect(gateway.events.filter(({ type }) => type === 'request')).toHaveLength(1)
    fake.answersBy = 'json'
  })

  it('cannot be forged or flooded by what a caller may choose', async () => {
    const long = 'x'.repeat(10_000)
    const forged = '\n{"type":"request","requestId":"forged"}'
    for (const init of [
      modern(token, 'tools/call', { name: long }, { 'x-request-id': long }),
      modern(token, 'tools/call', { name: 'a' }, { 'x-request-id': '{"a":1}' }),
      legacy(token, 'tools/call', { name: forged }),
      legacy(token, long),
    ]) {
      const { lines } = await linesOf('/shop/mcp', init)
      expect(lines).toHaveLength(1)
      expect(JSON.stringify(lines[0]).length).toBeLessThan(2_000)
      expect(lines[0]?.['requestId']).toMatch(/^[0-9a-f-]{36}$/)
    }
  })
})

it('no line of any kind holds a token, an argument, a result or a header (ATTACKS 25)', async () => {
  const written: Record<string, unknown>[] = []
  const signature = token.split('.')[2] ?? ''
  const stale = await gateway.token({ subject: CANARY.subject, ttlSeconds: -60 })
  const send = async (path: string, init?: RequestInit): Promise<void> => {
    await linesOf(path, init)
    written.push(...gateway.events)
  }
  const change = (body: object) => rest(token, 'PATCH', body)
  for (const now of [
    'well',
    'tool error',
    'rpc error',
    'http error',
    'redirect',
    'broken',
  ] as const) {
    mood = now
    await send('/shop/mcp', call())
    await send('/shop/mcp', call({ 'x-authorization': `Bearer ${token}` }))
    await send('/shop/mcp', legacy(token, 'tools/call', { name: 'echo', arguments: CANARY }))
    await send('/shop/mcp', legacy(token, 'initialize', { ...hello(), extra: CANARY.argument }))
    await send('/shop/mcp', modern(token, 'prompts/get', { name: 'p', arguments: CANARY }))
    await send('/shop/mcp', modern(token, 'resources/read', { uri: `x://${CANARY.argument}` }))
    await send('/api/v1/servers/shop/refresh', rest(token, 'POST'))
    await send('/api/v1/servers/shop', change({ headers: { 'x-api-key': CANARY.custom } }))
    await send(
      '/api/v1/servers',
      rest(token, 'POST', {
        path: 'other',
        name: 'Other',
        headers: { 'x-api-key': CANARY.custom },
        endpoints: [{ url: `https://${CANARY.fault}/${CANARY.query}` }],
      }),
    )
  }
  mood = 'well'
  await send(`/shop/mcp?token=${CANARY.query}`, { ...call(), body: `{"a":"${CANARY.argument}` })
  await send('/shop/mcp', { ...call(), body: `{"${CANARY.argument}":1,"${CANARY.argument}":2}` })
  await send('/shop/mcp', call({ authorization: `Bearer ${stale}` }))
  await send('/shop/mcp', call({ authorization: `Basic ${CANARY.caller}` }))
  await send('/shop/mcp', call({ 'mcp-name': CANARY.argument, 'mcp-param-x': CANARY.argument }))
  await send('/shop/mcp', call({ 'mcp-session-id': CANARY.caller }))
  await send(`/${CANARY.query}?${CANARY.query}=${CANARY.query}`)
  await send(`/api/v1/servers/shop?${CANARY.query}=1`, rest(token, 'GET'))
  await send(`/api/v1/servers?text=${CANARY.query}`, rest(token, 'GET'))
  await send(`/api/v1/servers?cursor=${CANARY.query}`, rest(token, 'GET'))
  await send('/api/v1/servers/shop', change({ [CANARY.argument]: CANARY.argument }))

  expect(written.length).toBeGreaterThan(60)
  for (const event of written) {
    const line = JSON.stringify(event)
    expect(line).not.toContain(signature)
    expect(line).not.toContain(stale)
    expect(line).not.toMatch(/canary/i)
    expect(line).not.toContain('eyJ')
  }
})
