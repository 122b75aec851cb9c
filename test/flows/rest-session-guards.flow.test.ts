import { beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestGateway, rest } from '../support/gateway.ts'
import {
  sessionPath as at,
  CONNECT,
  namesOf,
  type RestTenant,
  restTenant,
} from '../support/rest-client.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const POLICY = {
  group_mappings: { callers: ['caller'], listers: ['lister'] },
  caller: [
    { server: 'scripted', methods: ['tools/list', 'tools/call'], tools: ['echo', 'no-such-tool'] },
  ],
  lister: [{ server: 'scripted', methods: ['tools/list'], tools: ['echo'] }],
}

const vars = {
  MAX_BODY_BYTES: '65536',
  LIMIT_PRINCIPAL_PER_MINUTE: '100000',
  LIMIT_TENANT_PER_MINUTE: '100000',
}
const room = scriptedRoom('rest-session-guards')
const now = Date.now()
let client: RestTenant

beforeAll(async () => {
  client = await restTenant(room, { seams: { clock: { now: () => now } }, vars })
  expect((await client.send('/api/v1/policy', rest(client.token, 'PUT', POLICY))).status).toBe(200)
})

describe('the policy', () => {
  it('hides servers from those who may not use them', async () => {
    const caller = await client.gateway.token({ subject: 'c', groups: ['callers'] })
    const hidden = await client.post(CONNECT, { server_name: 'modern' }, caller)
    const missing = await client.post(CONNECT, { server_name: 'nothing' }, caller)
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
    const caller = await client.gateway.token({ subject: 'c', groups: ['callers'] })
    const id = await client.connect('scripted', caller)
    const { body } = await client.get(at(id, '/tools'), caller)
    expect(namesOf(body['tools'])).toEqual(['echo'])
    expect((await client.post(at(id, '/tools/call'), { name: 'echo' }, caller)).status).toBe(200)
    expect(await client.post(at(id, '/tools/call'), { name: 'fails' }, caller)).toMatchObject({
      status: 404,
      body: { code: 'not_found', detail: 'There is no tool named "fails".' },
    })
    expect(await client.get(at(id, '/prompts'), caller)).toMatchObject({
      status: 200,
      body: { prompts: [] },
    })
    expect(await client.post(at(id, '/resources/read'), { uri: 'x:y' }, caller)).toMatchObject({
      status: 404,
      body: { code: 'method_not_found' },
    })
  })

  it('tells listing from calling', async () => {
    const lister = await client.gateway.token({ subject: 'l', groups: ['listers'] })
    const id = await client.connect('scripted', lister)
    expect(namesOf((await client.get(at(id, '/tools'), lister)).body['tools'])).toEqual(['echo'])
    expect(await client.post(at(id, '/tools/call'), { name: 'echo' }, lister)).toMatchObject({
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
    const id = await client.connect('scripted')
    const weak = await client.gateway.token({ scopes: [given] })
    const answer =
      what === 'connecting'
        ? await client.post(CONNECT, { server_name: 'scripted' }, weak)
        : await client.send(at(id, path), rest(weak, method, body))
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
    expect(await client.post(CONNECT, body)).toMatchObject({
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
    const id = await client.connect('scripted')
    expect(await client.post(at(id, what), body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_params', problems: [expect.anything()] },
    })
  })

  it.each(['connect', '/tools/call', '/resources/read'])(
    '%s is refused when its body is no JSON, too deep, too large or of another type',
    async (what) => {
      const path = what === 'connect' ? CONNECT : at(await client.connect('scripted'), what)
      const withBody = (body: string, type = 'application/json') =>
        client.send(path, {
          method: 'POST',
          headers: { authorization: `Bearer ${client.token}`, 'content-type': type },
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
    const id = await client.connect('scripted')
    for (const path of [at(id, '/tools?cursor=x'), at(id, '/info?x')]) {
      expect(await client.get(path)).toMatchObject({
        status: 400,
        body: { code: 'invalid_params' },
      })
    }
  })

  it('beside the sessions, the list of all tools takes each parameter once', async () => {
    expect(await client.get('/mcp/tools?cursor=a&cursor=b')).toMatchObject({
      status: 400,
      body: {
        code: 'invalid_params',
        problems: [{ path: 'cursor', message: 'must be given once' }],
      },
    })
  })

  it('to connect needs a credential', async () => {
    const init = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }
    expect(await client.send(CONNECT, init)).toMatchObject({ status: 401 })
  })

  it('costs one permit, however many messages it takes', async () => {
    const poor = createTestGateway({ vars: { LIMIT_PRINCIPAL_PER_MINUTE: '4' } })
    const own = await poor.token()
    const server = {
      path: 'everything',
      name: 'x',
      endpoints: [{ url: inject('everythingUrl') }],
    }
    expect((await client.send('/api/v1/servers', rest(own, 'POST', server), poor)).status).toBe(201)
    const opened = await client.send(CONNECT, rest(own, 'POST', { server: 'everything' }), poor)
    expect(opened.status).toBe(201)
    const id = String(opened.body['session_id'])
    expect((await client.send(at(id, '/resources'), rest(own, 'GET'), poor)).status).toBe(200)
    expect((await client.send(at(id), rest(own, 'DELETE'), poor)).status).toBe(204)
    const limited = await client.send(CONNECT, rest(own, 'POST', { server: 'everything' }), poor)
    expect(limited).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})
