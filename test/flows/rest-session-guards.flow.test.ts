import { beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestGateway, rest, type TestGateway } from '../support/gateway.ts'
import {
  sessionPath as at,
  CONNECT,
  namesOf,
  type RestClient,
  restClient,
} from '../support/rest-client.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const POLICY = {
  group_mappings: { callers: ['caller'], listers: ['lister'], people: ['user'] },
  caller: [
    { server: 'scripted', methods: ['tools/list', 'tools/call'], tools: ['echo', 'no-such-tool'] },
  ],
  lister: [{ server: 'scripted', methods: ['tools/list'], tools: ['echo'] }],
}

const HOUR_MS = 3_600_000
// Each isolate takes a lease of its own, and there are many here.
const vars = {
  MAX_BODY_BYTES: '65536',
  LIMIT_PRINCIPAL_PER_MINUTE: '100000',
  LIMIT_TENANT_PER_MINUTE: '100000',
}
const room = scriptedRoom('rest-session-guards')
const now = Date.now()
let gateway: TestGateway
let token: string
let send: RestClient['send']
let get: RestClient['get']
let post: RestClient['post']
let close: RestClient['close']
let connect: RestClient['connect']

/** Another isolate for the same tenant. */
const isolate = () => createTestGateway({ tenant: gateway.tenant, vars })

beforeAll(async () => {
  gateway = createTestGateway({ seams: { clock: { now: () => now } }, vars })
  token = await gateway.token()
  ;({ send, get, post, close, connect } = restClient(gateway, token))
  await room.register(gateway, token)
  for (const [path, url] of [
    ['modern', inject('modernUrl')],
    ['everything', inject('everythingUrl')],
  ]) {
    const server = { path, name: path, endpoints: [{ url }] }
    expect((await post('/api/v1/servers', server)).status).toBe(201)
  }
  expect((await send('/api/v1/policy', rest(token, 'PUT', POLICY))).status).toBe(200)
})

describe('a REST session id', () => {
  const notFound = {
    status: 404,
    body: {
      code: 'session_not_found',
      detail: 'The session is unknown, expired or was closed.',
      fix: 'Connect again: POST /api/v1/mcp/servers/connect.',
    },
  }
  const USES: readonly [string, string, unknown][] = [
    ['GET', '/tools', undefined],
    ['GET', '/resources', undefined],
    ['GET', '/prompts', undefined],
    ['GET', '/info', undefined],
    ['POST', '/tools/call', { name: 'echo' }],
    ['POST', '/resources/read', { uri: 'x:y' }],
    ['DELETE', '', undefined],
  ]
  let id: string

  beforeAll(async () => {
    id = await connect('scripted')
  })

  const use = (method: string, what: string, body: unknown, as = token, of = id, on = gateway) =>
    send(at(of, what), rest(as, method, body), on)

  it.each(USES)('%s %s without a credential is 401', async (method, what, body) => {
    const init = { ...rest('', method, body), headers: { 'content-type': 'application/json' } }
    expect(await send(at(id, what), init)).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated' },
    })
  })

  it.each(USES)('%s %s of another user is 404', async (method, what, body) => {
    const other = await gateway.token({ subject: 'other', groups: ['people'] })
    expect(await use(method, what, body, other)).toMatchObject(notFound)
  })

  it.each(USES)('%s %s of another tenant is 404', async (method, what, body) => {
    const elsewhere = createTestGateway()
    const foreign = await elsewhere.token()
    expect(await use(method, what, body, foreign, id, elsewhere)).toMatchObject(notFound)
  })

  it.each(USES)('%s %s unknown or tampered is 404', async (method, what, body) => {
    const tampered = `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`
    for (const wrong of ['x', tampered, id.toUpperCase(), `${id}.x`]) {
      expect(await use(method, what, body, token, wrong)).toMatchObject(notFound)
    }
  })

  it.each(USES)(
    '%s %s is 404 after it was closed, in every isolate',
    async (method, what, body) => {
      const closed = await connect('scripted')
      expect((await close(closed)).status).toBe(204)
      const elsewhere = isolate()
      expect(await use(method, what, body, token, closed)).toMatchObject(notFound)
      expect(await use(method, what, body, token, closed, elsewhere)).toMatchObject(notFound)
    },
  )

  it.each(USES)('%s %s is 404 after 24 hours', async (method, what, body) => {
    const old = await connect('scripted')
    const tomorrow = createTestGateway({
      tenant: gateway.tenant,
      seams: { clock: { now: () => now + 24 * HOUR_MS } },
      // The object lives today; an isolate that cannot reach it counts alone.
      bindings: {
        LIMITERS: {
          getByName: () => ({ lease: () => Promise.reject(new Error()), usage: async () => [] }),
        },
      },
    })
    const fresh = await tomorrow.token()
    expect(await use(method, what, body, fresh, old, tomorrow)).toMatchObject(notFound)
  })

  it('survives the refresh of its token', async () => {
    expect((await use('GET', '/info', undefined, await gateway.token())).status).toBe(200)
  })

  it('is no MCP session id, and an MCP session id is none', async () => {
    const mcp = await gateway.fetch('/everything/mcp', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'mcp-session-id': id,
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    })
    expect(mcp.status).toBe(404)
    await mcp.text()
    const hello = await gateway.fetch('/everything/mcp', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
    })
    await hello.text()
    const theirs = hello.headers.get('mcp-session-id') ?? ''
    expect(await use('GET', '/info', undefined, token, theirs)).toMatchObject(notFound)
  })

  it('is 404 once its server is gone, and of no use for another of that name', async () => {
    const server = { path: 'brief', name: 'Brief', endpoints: [{ url: room.url('modern') }] }
    expect((await post('/api/v1/servers', server)).status).toBe(201)
    const lost = await connect('brief')
    expect((await send('/api/v1/servers/brief', rest(token, 'DELETE'))).status).toBe(204)
    expect(await get(at(lost, '/info'))).toMatchObject(notFound)
    expect((await post('/api/v1/servers', server)).status).toBe(201)
    expect(await get(at(lost, '/info'))).toMatchObject(notFound)
    expect((await close(lost)).status).toBe(204)
  })
})

describe('the policy', () => {
  it('hides servers from those who may not use them', async () => {
    const caller = await gateway.token({ subject: 'c', groups: ['callers'] })
    const hidden = await post(CONNECT, { server_name: 'modern' }, caller)
    const missing = await post(CONNECT, { server_name: 'nothing' }, caller)
    expect(hidden).toMatchObject({
      status: 404,
      body: { code: 'not_found', detail: 'There is no server named "modern".' },
    })
    expect(missing.status).toBe(404)
    expect({ ...missing.body, detail: '', requestId: '' }).toEqual({
      ...hidden.body,
      detail: '',
      requestId: '',
    })
  })

  it('shows and lets call the tools that are granted; others are as if unknown', async () => {
    const caller = await gateway.token({ subject: 'c', groups: ['callers'] })
    const id = await connect('scripted', caller)
    const { body } = await get(at(id, '/tools'), caller)
    expect(namesOf(body['tools'])).toEqual(['echo'])
    expect((await post(at(id, '/tools/call'), { name: 'echo' }, caller)).status).toBe(200)
    expect(await post(at(id, '/tools/call'), { name: 'fails' }, caller)).toMatchObject({
      status: 404,
      body: { code: 'not_found', detail: 'There is no tool named "fails".' },
    })
    expect(await get(at(id, '/prompts'), caller)).toMatchObject({
      status: 200,
      body: { prompts: [] },
    })
    expect(await post(at(id, '/resources/read'), { uri: 'x:y' }, caller)).toMatchObject({
      status: 404,
      body: { code: 'method_not_found' },
    })
  })

  it('tells listing from calling', async () => {
    const lister = await gateway.token({ subject: 'l', groups: ['listers'] })
    const id = await connect('scripted', lister)
    expect(namesOf((await get(at(id, '/tools'), lister)).body['tools'])).toEqual(['echo'])
    expect(await post(at(id, '/tools/call'), { name: 'echo' }, lister)).toMatchObject({
      status: 404,
      body: { code: 'method_not_found' },
    })
  })

  it.each([
    ['connecting', 'gatehouse:read', 'gatehouse:manage', 'POST', '', {}],
    ['calling', 'gatehouse:call', 'gatehouse:read', 'POST', '/tools/call', { name: 'echo' }],
    ['listing tools', 'gatehouse:read', 'gatehouse:call', 'GET', '/tools', undefined],
    ['listing prompts', 'gatehouse:read', 'gatehouse:call', 'GET', '/prompts', undefined],
    ['listing resources', 'gatehouse:read', 'gatehouse:call', 'GET', '/resources', undefined],
    ['looking', 'gatehouse:read', 'gatehouse:call', 'GET', '/info', undefined],
    ['reading', 'gatehouse:read', 'gatehouse:call', 'POST', '/resources/read', { uri: 'x:y' }],
  ])('asks for more scope when %s needs it', async (what, needed, given, method, path, body) => {
    const id = await connect('scripted')
    const weak = await gateway.token({ scopes: [given] })
    const answer =
      what === 'connecting'
        ? await post(CONNECT, { server_name: 'scripted' }, weak)
        : await send(at(id, path), rest(weak, method, body))
    expect(answer).toMatchObject({
      status: 403,
      body: { code: 'insufficient_scope', scope: needed },
    })
    expect(answer.headers.get('www-authenticate')).toContain(`scope="${needed}"`)
  })
})

describe('a request of a REST session', () => {
  it.each([
    ['nothing', {}, 'server_name: must be given, once.'],
    ['two names', { server: 'a', server_name: 'a' }, 'server_name: must be given, once.'],
    ['a reserved path', { server_name: 'mcpgw' }, 'server_name: is a reserved path.'],
    ['an unknown member', { server_name: 'a', x: 1 }, /x/],
    ['an array', [], /./],
  ])('to connect is refused with %s', async (_what, body, detail) => {
    expect(await post(CONNECT, body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_params', detail: expect.stringMatching(detail) },
    })
  })

  it.each([
    ['/tools/call', {}],
    ['/tools/call', { name: 'echo', tool_name: 'echo' }],
    ['/tools/call', { name: 'echo', arguments: [] }],
    ['/tools/call', { name: '' }],
    ['/resources/read', {}],
    ['/resources/read', { uri: 7 }],
    ['/resources/read', { uri: 'x:y', more: 1 }],
  ])('%s is refused with %j', async (what, body) => {
    const id = await connect('scripted')
    expect(await post(at(id, what), body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_params', problems: [expect.anything()] },
    })
  })

  it.each(['connect', '/tools/call', '/resources/read'])(
    '%s is refused when its body is no JSON, too deep, too large or of another type',
    async (what) => {
      const path = what === 'connect' ? CONNECT : at(await connect('scripted'), what)
      const withBody = (body: string, type = 'application/json') =>
        send(path, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': type },
          body,
        })
      expect(await withBody('{')).toMatchObject({ status: 400, body: { code: 'parse_error' } })
      expect(await withBody('['.repeat(100))).toMatchObject({
        status: 400,
        body: { code: 'parse_error' },
      })
      expect(await withBody('{"name":"a","name":"b"}')).toMatchObject({
        status: 400,
        body: { code: 'parse_error' },
      })
      expect(await withBody('{}', 'text/plain')).toMatchObject({
        status: 415,
        body: { code: 'unsupported_media_type' },
      })
      expect(await withBody(`{"name":"${'x'.repeat(70_000)}"}`)).toMatchObject({
        status: 413,
        body: { code: 'body_too_large' },
      })
    },
  )

  it('takes no query', async () => {
    const id = await connect('scripted')
    for (const path of [at(id, '/tools?cursor=x'), at(id, '/info?x')]) {
      expect(await get(path)).toMatchObject({ status: 400, body: { code: 'invalid_params' } })
    }
  })

  it('beside the sessions, the list of all tools takes each parameter once', async () => {
    expect(await get('/mcp/tools?cursor=a&cursor=b')).toMatchObject({
      status: 400,
      body: {
        code: 'invalid_params',
        problems: [{ path: 'cursor', message: 'must be given once' }],
      },
    })
  })

  it('to connect needs a credential', async () => {
    const init = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }
    expect(await send(CONNECT, init)).toMatchObject({ status: 401 })
  })

  it('costs one permit, however many messages it takes', async () => {
    const poor = createTestGateway({ vars: { LIMIT_PRINCIPAL_PER_MINUTE: '4' } })
    const own = await poor.token()
    const server = {
      path: 'everything',
      name: 'x',
      endpoints: [{ url: inject('everythingUrl') }],
    }
    expect((await send('/api/v1/servers', rest(own, 'POST', server), poor)).status).toBe(201)
    const opened = await send(CONNECT, rest(own, 'POST', { server: 'everything' }), poor)
    expect(opened.status).toBe(201)
    const id = String(opened.body['session_id'])
    expect((await send(at(id, '/resources'), rest(own, 'GET'), poor)).status).toBe(200)
    expect((await send(at(id), rest(own, 'DELETE'), poor)).status).toBe(204)
    const limited = await send(CONNECT, rest(own, 'POST', { server: 'everything' }), poor)
    expect(limited).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

describe('the OpenAPI document', () => {
  it('has the sessions', async () => {
    const { body } = await get('/openapi.json')
    const paths = body['paths'] as Record<string, Record<string, Record<string, unknown>>>
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/mcp/servers/connect',
        '/mcp/sessions/{id}',
        '/mcp/sessions/{id}/info',
        '/mcp/sessions/{id}/prompts',
        '/mcp/sessions/{id}/resources',
        '/mcp/sessions/{id}/resources/read',
        '/mcp/sessions/{id}/tools',
        '/mcp/sessions/{id}/tools/call',
      ]),
    )
    expect(paths['/mcp/sessions/{id}']?.['delete']?.['security']).toEqual([{ bearer: [] }])
  })
})
