import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestGateway, rest, type TestGateway } from '../support/gateway.ts'
import {
  sessionPath as at,
  CONNECT,
  namesOf,
  type RestClient,
  restTenant,
  watchedFetch,
} from '../support/rest-client.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const HOUR_MS = 3_600_000

const { open, fetcher } = watchedFetch()
const room = scriptedRoom('rest-sessions')
const now = Date.now()
const clock = { now: () => now }
let gateway: TestGateway
let token: string
let send: RestClient['send']
let get: RestClient['get']
let post: RestClient['post']
let close: RestClient['close']
let connect: RestClient['connect']

beforeAll(async () => {
  const tenant = await restTenant(room, { seams: { fetcher, clock } })
  ;({ gateway, token, send, get, post, close, connect } = tenant)
})

beforeEach(() => {
  open.clear()
  gateway.events.length = 0
})

describe('a REST session with a modern server', () => {
  it('is opened, used and closed without MCP', async () => {
    const opened = await post(CONNECT, { server_name: 'modern' })
    expect(opened).toMatchObject({
      status: 201,
      body: {
        session_id: expect.stringMatching(/^[A-Za-z0-9_.-]+$/),
        server_name: 'modern',
        protocol_version: '2026-07-28',
        server_info: { name: 'modern', version: '1.0.0' },
        capabilities: { tools: {} },
        connected_at: new Date(now).toISOString(),
        expires_at: new Date(now + 24 * HOUR_MS).toISOString(),
      },
    })
    const id = String(opened.body['session_id'])
    const tools = await get(at(id, '/tools'))
    expect(tools).toMatchObject({ status: 200, body: { server_name: 'modern' } })
    expect(namesOf(tools.body['tools'])).toEqual(['echo', 'slow', 'big', 'region', 'fail'])
    const call = { tool_name: 'echo', arguments: { message: 'hi' } }
    expect(await post(at(id, '/tools/call'), call)).toMatchObject({
      status: 200,
      body: { content: [{ type: 'text', text: 'Echo: hi' }], is_error: false },
    })
    const info = await get(at(id, '/info'))
    expect(info).toMatchObject({ status: 200, body: { session_id: id, server_name: 'modern' } })
    expect(await close(id)).toMatchObject({ status: 204, body: {} })
    expect((await get(at(id, '/info'))).status).toBe(404)
  })

  it.each(['server_name', 'server_id', 'server'])('may name the server as %s', async (member) => {
    expect((await post(CONNECT, { [member]: 'modern' })).status).toBe(201)
  })

  it('mirrors arguments into headers as the tool wants them, whatever they hold', async () => {
    const id = await connect('modern')
    const call = { name: 'region', arguments: { region: ' Zürich ☃', note: 'x' } }
    expect(await post(at(id, '/tools/call'), call)).toMatchObject({
      status: 200,
      body: { content: [{ text: 'region  Zürich ☃' }] },
    })
  })

  it('tells of a tool that fails in the body', async () => {
    const id = await connect('modern')
    expect(await post(at(id, '/tools/call'), { name: 'fail' })).toMatchObject({
      status: 200,
      body: { content: [{ text: 'it failed, as asked' }], is_error: true },
    })
    expect(gateway.events.at(-1)).toMatchObject({
      route: '/api/v1/mcp/sessions/:id/tools/call',
      server: 'modern',
      method: 'tools/call',
      tool: 'fail',
      outcome: 'tool_error',
    })
  })

  it('lists nothing of a kind that the server does not serve', async () => {
    const id = await connect('modern')
    const prompts = await get(at(id, '/prompts'))
    expect(prompts).toMatchObject({ status: 200, body: { server_name: 'modern', prompts: [] } })
    const { status, body } = await get(at(id, '/resources'))
    expect(status).toBe(200)
    expect(body).toEqual({ server_name: 'modern', resources: [], resource_templates: [] })
  })

  it('refuses an answer that is larger than it holds', async () => {
    const id = await connect('modern')
    const call = { name: 'big', arguments: { characters: 9_000_000 } }
    expect(await post(at(id, '/tools/call'), call)).toMatchObject({
      status: 502,
      body: { code: 'upstream_failed', detail: 'The server sent more than 8388608 bytes.' },
    })
  })
})

describe('a REST session with a sessionful legacy server', () => {
  it('is one upstream session, which ends with it', async () => {
    const opened = await post(CONNECT, { server_name: 'everything' })
    expect(opened).toMatchObject({
      status: 201,
      body: {
        protocol_version: '2025-11-25',
        server_info: { name: expect.stringMatching(/everything/) },
        instructions: expect.stringMatching(/./),
      },
    })
    const id = String(opened.body['session_id'])
    expect(open.size).toBe(1)
    const [upstreamId = ''] = open
    expect(namesOf((await get(at(id, '/tools'))).body['tools'])).toContain('echo')
    expect(namesOf((await get(at(id, '/prompts'))).body['prompts']).length).toBeGreaterThan(0)
    const resources = await get(at(id, '/resources'))
    expect(resources.status).toBe(200)
    const { resources: found, resource_templates: templates } = resources.body
    expect(templates).not.toEqual([])
    const [{ uri } = { uri: '' }] = found as { uri: string }[]
    const read = await post(at(id, '/resources/read'), { uri })
    expect(read).toMatchObject({ status: 200, body: { contents: [{ uri }] } })
    const call = { tool_name: 'echo', arguments: { message: 'hi' } }
    expect(await post(at(id, '/tools/call'), call)).toMatchObject({
      status: 200,
      body: { content: [{ type: 'text', text: 'Echo: hi' }], is_error: false },
    })
    expect([...open]).toEqual([upstreamId])
    expect((await close(id)).status).toBe(204)
    expect([...open]).toEqual([])
    const afterwards = await fetch(inject('everythingUrl'), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': upstreamId,
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    })
    await afterwards.text()
    expect(afterwards.ok).toBe(false)
  })

  it('leaves no upstream session behind when the handshake breaks off', async () => {
    const broken = createTestGateway({
      tenant: gateway.tenant,
      seams: {
        clock,
        fetcher: async (request) => {
          const isTold = (await request.clone().text()).includes('notifications/initialized')
          if (isTold) throw new Error('connection refused')
          return fetcher(request)
        },
      },
    })
    const init = rest(token, 'POST', { server_name: 'everything' })
    expect(await send(CONNECT, init, broken)).toMatchObject({
      status: 502,
      body: { code: 'upstream_failed' },
    })
    expect([...open]).toEqual([])
  })
})

describe('a server that fails within a REST session', () => {
  const call = async (name: string, args: object = {}) => {
    const id = await connect('scripted')
    return post(at(id, '/tools/call'), { name, arguments: args })
  }

  it.each([
    ['by a JSON-RPC error', 'rpc_error', {}],
    ['by a JSON-RPC error under HTTP 400', 'rpc_error', { status: 400 }],
  ])('%s is 502 with that error in the problem', async (_how, tool, args) => {
    expect(await call(tool, args)).toMatchObject({
      status: 502,
      body: {
        code: 'upstream_failed',
        detail: 'The server "scripted" answered with error -31999: theirs',
        upstream_error: { code: -31999, message: 'theirs', data: { n: 1 } },
      },
    })
  })

  it.each([
    ['die_before', /connection/],
    ['die_at_json', /closed the connection before its answer was complete/],
    ['die_mid_json', /closed the connection before its answer was complete/],
    ['die_mid_sse', /closed the connection before its answer was complete/],
    ['die_mid_answer', /closed the connection before its answer was complete/],
    ['sse_no_answer', /closed the connection before its answer was complete/],
    ['html', /HTTP 200, which is not an MCP answer/],
    ['empty', /./],
  ])('by %s is 502', async (tool, detail) => {
    expect(await call(tool)).toMatchObject({
      status: 502,
      body: { code: 'upstream_failed', detail: expect.stringMatching(detail) },
    })
  })

  it('does not keep the caller waiting by a stream that it never closes', async () => {
    expect(await call('answer_and_hang')).toMatchObject({
      status: 200,
      body: { content: [], is_error: false },
    })
    expect(gateway.events.at(-1)).toMatchObject({ type: 'request', outcome: 'ok', status: 200 })
  })

  it('by a JSON-RPC error on a stream is 502 with that error as well', async () => {
    const id = await connect('everything')
    expect(await post(at(id, '/resources/read'), { uri: 'no://such' })).toMatchObject({
      status: 502,
      body: { code: 'upstream_failed', upstream_error: { code: -32602 } },
    })
    expect((await close(id)).status).toBe(204)
  })

  it('reads an answer in whatever dress it comes', async () => {
    for (const tool of ['exotic', 'exotic_sse', 'gzipped']) {
      expect(await call(tool)).toMatchObject({
        status: 200,
        body: { content: [{ type: 'hologram' }], structured_content: [1.5], is_error: false },
      })
    }
  })
})
