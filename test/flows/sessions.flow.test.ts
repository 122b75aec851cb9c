import { beforeAll, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import {
  createTestGateway,
  hello,
  legacy,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const echo = { name: 'echo', arguments: { message: 'hi' } }

describe('a legacy session that several isolates serve', () => {
  const room = scriptedRoom('sessions')
  let here: TestGateway
  let token: string

  beforeAll(async () => {
    here = createTestGateway()
    token = await here.token()
    await room.register(here, token, { endpoints: [{ url: room.url('dual') }] })
  })

  const isolate = () => createTestGateway({ tenant: here.tenant })

  async function open() {
    const opened = await here.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    return { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
  }

  async function callOn(gateway: TestGateway, headers: Record<string, string>, id: unknown = 1) {
    const response = await gateway.fetch(
      '/scripted/mcp',
      legacy(token, 'tools/call', echo, headers, id),
    )
    return { status: response.status, text: await response.text() }
  }

  const methods = async () =>
    (await room.log()).log.map(({ body }) => (body === '' ? '' : JSON.parse(body).method))

  // req: session-reopened-for-all
  it('is opened again once when all of them notice that it was forgotten', async () => {
    const headers = await open()
    await room.control({ forgetStatus: 404 })
    await room.log()
    const isolates = [here, isolate(), isolate()]
    const answers = await Promise.all(isolates.map((gateway) => callOn(gateway, headers)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await methods()).filter((method) => method === 'initialize')).toHaveLength(1)
  })

  it('is found again by an isolate that learns of its new id when that was forgotten too', async () => {
    const headers = await open()
    for (const _time of [1, 2]) {
      await room.control({ forgetStatus: 404 })
      expect(await callOn(here, headers)).toMatchObject({ status: 200 })
    }
    await room.control({ forgetStatus: 404 })
    await room.log()
    const { status, text } = await callOn(isolate(), headers, 'late')
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({ id: 'late', result: { content: [{}] } })
    expect((await methods()).filter((method) => method === 'initialize')).toHaveLength(1)
    expect(await callOn(here, headers)).toMatchObject({ status: 200 })
  })

  it('is not opened again by a call that failed before another one opened it', async () => {
    const headers = await open()
    let pass: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      pass = resolve
    })
    let calls = 0
    // The first refusal is delivered late: when another call has long opened the session again.
    const slow = createTestGateway({
      tenant: here.tenant,
      seams: {
        fetcher: async (request) => {
          calls += 1
          const isFirst = calls === 1
          const response = await fetch(request)
          if (isFirst) await held
          return response
        },
      },
    })
    await room.control({ forgetStatus: 404 })
    await room.log()
    const late = callOn(slow, headers, 'late')
    await expect.poll(() => calls).toBe(1)
    expect(await callOn(slow, headers, 'quick')).toMatchObject({ status: 200 })
    pass()
    expect(await late).toMatchObject({ status: 200 })
    expect((await methods()).filter((method) => method === 'initialize')).toHaveLength(1)
  })

  // req: cancel-mapped
  it('maps a cancel however the id of the request was spelled', async () => {
    const headers = await open()
    const init = legacy(token, 'tools/call', { name: 'hang', arguments: {} }, headers, 'ID')
    const running = await here.fetch('/scripted/mcp', {
      ...init,
      body: String(init.body).replace('"ID"', '"\\u00fc"'),
    })
    await room.log()
    const note = legacy(token, 'notifications/cancelled', { requestId: 'ü' }, headers, NOTIFICATION)
    expect((await here.fetch('/scripted/mcp', note)).status).toBe(202)
    expect(await methods()).toEqual(['notifications/cancelled'])
    await running.body?.cancel()
  })

  // req: cancel-mapped
  it.each([undefined, null, {}, []])(
    'drops a cancel of %j, which is no request',
    async (requestId) => {
      const headers = await open()
      await room.log()
      const note = legacy(token, 'notifications/cancelled', { requestId }, headers, NOTIFICATION)
      expect((await here.fetch('/scripted/mcp', note)).status).toBe(202)
      expect(await methods()).toEqual([])
    },
  )
})

describe('a legacy message that nothing answers', () => {
  const upstream = createFakeUpstream([])
  let failure: () => Promise<Response> | undefined = () => undefined
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({
      seams: { fetcher: async (request) => (await failure()) ?? upstream.fetcher(request) },
    })
    token = await gateway.token()
    const body = { path: 'plain', name: 'Plain', endpoints: [{ url: 'https://plain.example/' }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(created.status).toBe(201)
  })

  const note = () =>
    gateway.fetch('/plain/mcp', legacy(token, 'notifications/x', {}, {}, NOTIFICATION))

  it('is 202 without a body when the upstream took it', async () => {
    failure = () => undefined
    const response = await note()
    expect(response.status).toBe(202)
    expect(await response.text()).toBe('')
  })

  it.each<[string, () => Promise<Response>, string]>([
    [
      'was not reached',
      async () => {
        throw new Error('connection refused')
      },
      'The connection to the server "plain" failed or was closed before it answered.',
    ],
    [
      'refused it',
      async () => new Response('{}', { status: 400 }),
      'The server "plain" answered with HTTP 400, which is not an MCP answer.',
    ],
    [
      'failed',
      async () => new Response('secret', { status: 500 }),
      'The server "plain" answered with HTTP 500, which is not an MCP answer.',
    ],
  ])(
    'is 502 when the upstream %s, since only the status can say so',
    async (_what, fail, message) => {
      failure = fail
      const response = await note()
      expect(response.status).toBe(502)
      expect(await response.json()).toMatchObject({
        jsonrpc: '2.0',
        id: null,
        error: { code: -31012, message, data: { code: 'upstream_failed' } },
      })
      expect(gateway.events.at(-1)).toMatchObject({ outcome: 'upstream_failed', status: 502 })
    },
  )
})

describe('an upstream session that no client can use', () => {
  const ID = 'x'.repeat(5_000)
  const closed: (string | null)[] = []
  let answer: (id: unknown) => Response = () => new Response(null, { status: 500 })
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    const plain = createFakeUpstream([])
    gateway = createTestGateway({
      seams: {
        async fetcher(request) {
          if (request.method === 'DELETE') {
            closed.push(request.headers.get('mcp-session-id'))
            return new Response(null, { status: 204 })
          }
          const { method, id } = JSON.parse(await request.clone().text())
          return method === 'initialize' ? answer(id) : plain.fetcher(request)
        },
      },
    })
    token = await gateway.token()
    const body = { path: 'odd', name: 'Odd', endpoints: [{ url: 'https://odd.example/' }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(created.status).toBe(201)
    // Asked once for the legacy handshake, which it serves.
    answer = (id) => greeting('first', id)
    const opened = await gateway.fetch('/odd/mcp', legacy(token, 'initialize', hello()))
    expect(opened.status, await opened.text()).toBe(200)
  })

  const headersOf = (id: string, type = 'application/json') => ({
    headers: { 'content-type': type, 'mcp-session-id': id },
  })
  const greeting = (session: string, id: unknown) => {
    const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'odd' } }
    return new Response(JSON.stringify({ jsonrpc: '2.0', id, result }), headersOf(session))
  }

  async function greet() {
    closed.length = 0
    const init = legacy(token, 'initialize', hello())
    const { response, settle } = await gateway.fetchWith('/odd/mcp', init)
    const text = await response.text()
    await settle()
    return { id: response.headers.get('mcp-session-id'), text }
  }

  it.each<[string, (id: unknown) => Response]>([
    ['has an id that is too long to travel', (id) => greeting(ID, id)],
    ['opened with no answer', () => new Response('{"jsonrpc":', headersOf('bad'))],
    ['opened with the answer to nobody', () => greeting('foreign', 'somebody')],
  ])('is refused and closed when it %s', async (_what, given) => {
    answer = given
    const { id, text } = await greet()
    expect(id).toBeNull()
    expect(JSON.parse(text)).toMatchObject({ error: { data: { code: 'upstream_failed' } } })
    expect(closed).toEqual([given(1).headers.get('mcp-session-id')])
  })

  it('is closed when its stream ends without the answer', async () => {
    answer = () => new Response(': nothing\n\n', headersOf('silent', 'text/event-stream'))
    const { text } = await greet()
    expect(text).toContain('"code":"upstream_failed"')
    expect(closed).toEqual(['silent'])
  })
})

describe('ending a session at one server', () => {
  const room = scriptedRoom('sessions-end')
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    await room.register(gateway, token, { endpoints: [{ url: room.url('dual') }] })
    // Settles its era; from then on nothing is written.
    await gateway.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
  })

  async function endOne(before: () => Promise<unknown> = async () => undefined) {
    const opened = await gateway.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    await before()
    await room.log()
    const d1 = gateway.work.d1
    const { response, settle } = await gateway.fetchWith('/scripted/mcp', {
      method: 'DELETE',
      headers: {
        authorization: `Bearer ${token}`,
        'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      },
    })
    await settle()
    const told = (await room.log()).log.map(({ httpMethod }) => httpMethod)
    return { status: response.status, d1: gateway.work.d1 - d1, told }
  }

  it('reads nothing that a call had not read', async () => {
    expect(await endOne()).toEqual({ status: 204, d1: 0, told: ['DELETE'] })
  })

  it('tells a server that was disabled meanwhile', async () => {
    const disable = () =>
      gateway.fetch('/api/v1/servers/scripted', rest(token, 'PATCH', { enabled: false }))
    expect(await endOne(disable)).toMatchObject({ status: 204, told: ['DELETE'] })
  })
})
