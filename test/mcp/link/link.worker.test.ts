import { describe, expect, it } from 'vitest'
import { readEvents } from '../../support/event-reader.ts'
import { fault, type Got, linkTo, reply } from './fake-servers.ts'

const MINUTE_MS = 60_000
const faultOf = (response: Response) => response.headers.get('x-gatehouse-fault')
const data = (event: string | undefined) => JSON.parse(event?.split('data: ')[1] ?? '{}')
const methods = (got: readonly Got[]) => got.flatMap(({ method }) => method ?? [])

describe.each(['sse', 'websocket'] as const)('a link of %s', (transport) => {
  const asking = { elicitation: {} }

  it('opens a session, and streams each answer to who asked', async () => {
    const { server, open, request } = linkTo(transport)
    const id = await open(asking)
    const response = await request('tools/call', {}, id)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const events = readEvents(response)
    expect(data(await events.next())).toMatchObject({ id: 'r2', result: { method: 'tools/call' } })
    expect(await events.next()).toBeUndefined()
    expect(methods(server.connections[0]?.got ?? [])).toEqual([
      'initialize',
      'notifications/initialized',
      'tools/call',
    ])
  })

  it("hands on the client's own hello on a connection of its own", async () => {
    const { server, initialize } = linkTo(transport)
    const response = await initialize(asking, '2025-06-18')
    expect(await response.json()).toMatchObject({
      id: 'r1',
      result: { protocolVersion: '2025-11-25' },
    })
    expect(server.connections[0]?.got[0]?.params).toMatchObject({
      protocolVersion: '2025-06-18',
      capabilities: asking,
      clientInfo: { name: 'c' },
    })
  })

  it('sends custom headers, and none that are its own affair', async () => {
    const { server, open } = linkTo(transport)
    await open(asking)
    const [connecting] = server.requests
    expect(connecting?.headers.get('x-key')).toBe('one')
    for (const { headers } of server.requests) {
      expect([headers.get('mcp-session-id'), headers.get('x-gatehouse-link')]).toEqual([null, null])
    }
  })

  it('is 404 for a session that it does not know, and 400 without one', async () => {
    const { send, request } = linkTo(transport)
    expect((await request('tools/list', {}, 'unknown')).status).toBe(404)
    expect((await send('GET', { sessionId: 'unknown' })).status).toBe(404)
    expect((await send('DELETE', { sessionId: 'unknown' })).status).toBe(404)
    expect((await request('tools/list', {})).status).toBe(400)
    expect((await send('POST', { body: 'garbage' })).status).toBe(400)
  })

  it('closes the connection with its session', async () => {
    const { server, open, send, request } = linkTo(transport)
    const id = await open(asking)
    expect((await send('DELETE', { sessionId: id })).status).toBe(204)
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
    expect((await request('tools/list', {}, id)).status).toBe(404)
  })

  it('fails what runs when the connection breaks, sends it to nobody else, and forgets the session', async () => {
    const { server, open, request } = linkTo(transport)
    const id = await open(asking)
    server.onMessage = ({ method }) => method === 'tools/call'
    const response = await request('tools/call', {}, id)
    server.connections[0]?.end()
    expect(await response.text()).toBe('')
    await expect.poll(async () => (await request('tools/list', {}, id)).status).toBe(404)
    await open(asking)
    const calls = server.connections.flatMap(({ got }) => methods(got))
    expect(calls.filter((method) => method === 'tools/call')).toHaveLength(1)
  })

  it('gives the answer of its client to the question of the server, once', async () => {
    const { server, open, request, post } = linkTo(transport)
    const id = await open(asking)
    server.onMessage = ({ method }, side) => {
      if (method === 'tools/call')
        side.send({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create' })
      return method === 'tools/call'
    }
    const response = await request('tools/call', {}, id)
    const events = readEvents(response)
    expect(data(await events.next())).toMatchObject({ id: 'q', method: 'elicitation/create' })
    for (const _time of [1, 2]) {
      expect((await post({ id: 'q', result: { action: 'accept' } }, id)).status).toBe(202)
    }
    const answers = () => server.connections[0]?.got.filter(({ result }) => result !== undefined)
    await expect.poll(answers).toEqual([{ jsonrpc: '2.0', id: 'q', result: { action: 'accept' } }])
    await events.cancel()
  })

  it('refuses a question whose client has gone', async () => {
    const { server, open, request } = linkTo(transport)
    const id = await open(asking)
    server.onMessage = ({ method }, side) => {
      if (method === 'tools/call')
        side.send({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create' })
      return method === 'tools/call'
    }
    const events = readEvents(await request('tools/call', {}, id))
    await events.next()
    await events.cancel()
    await expect
      .poll(() => server.connections[0]?.got.at(-1))
      .toMatchObject({ id: 'q', error: { code: -32603 } })
  })

  it('passes on a cancel that comes right behind the hang-up', async () => {
    const { server, open, request, post } = linkTo(transport)
    const id = await open(asking)
    server.onMessage = ({ method }) => method === 'tools/call'
    const response = await request('tools/call', {}, id)
    await response.body?.cancel()
    const cancel = { method: 'notifications/cancelled', params: { requestId: 'r2' } }
    expect((await post(cancel, id)).status).toBe(202)
    const cancels = () =>
      server.connections[0]?.got.filter(({ method }) => method === 'notifications/cancelled')
    await expect.poll(cancels).toMatchObject([{ params: { requestId: 2 } }])
  })

  it('passes on no cancel of a call of another session', async () => {
    const { server, open, request, post } = linkTo(transport)
    const [own, foreign] = [await open(), await open()]
    server.onMessage = ({ method }) => method === 'tools/call'
    const response = await request('tools/call', {}, own)
    const cancel = { method: 'notifications/cancelled', params: { requestId: 'r3' } }
    expect((await post(cancel, foreign)).status).toBe(202)
    expect((await post(cancel, own)).status).toBe(202)
    const cancels = () =>
      server.connections.map(
        ({ got }) => methods(got).filter((method) => method === 'notifications/cancelled').length,
      )
    await expect.poll(() => cancels().reduce((sum, one) => sum + one, 0)).toBe(1)
    await response.body?.cancel()
  })

  it('tells what belongs to no request on the stream that was opened last', async () => {
    const { server, open, send } = linkTo(transport)
    const id = await open(asking)
    const first = readEvents(await send('GET', { sessionId: id }))
    const second = readEvents(await send('GET', { sessionId: id }))
    expect(await first.next()).toBeUndefined()
    server.connections[0]?.send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
    expect(data(await second.next())).toMatchObject({ method: 'notifications/tools/list_changed' })
    server.connections[0]?.end()
    expect(await second.next()).toBeUndefined()
  })

  it('closes what nobody used for five minutes, and keeps what somebody hears', async () => {
    const { server, link, open, send, time } = linkTo(transport)
    const [idle, heard] = [await open(asking), await open(asking)]
    const stream = readEvents(await send('GET', { sessionId: heard }))
    time.now += 5 * MINUTE_MS - 1
    expect(link.sweep()).toBe(true)
    expect(server.connections.map((side) => side.isClosed())).toEqual([false, false])
    time.now += 1
    expect(link.sweep()).toBe(true)
    await expect
      .poll(() => server.connections.map((side) => side.isClosed()))
      .toEqual([true, false])
    expect((await send('GET', { sessionId: idle })).status).toBe(404)
    await stream.cancel()
    time.now += 5 * MINUTE_MS
    expect(link.sweep()).toBe(false)
  })

  describe('over which a call got no answer', () => {
    /** Leaves a call that ran for so long. */
    async function leaveCall({ time, request }: ReturnType<typeof linkTo>, id: string, ms: number) {
      const response = await request('tools/call', {}, id, { timeoutMs: 20_000 })
      time.now += ms
      await response.body?.cancel()
    }
    const SILENT = ['tools/call', 'ping']

    it.each([['with questions', asking] as const, ['with none', {}] as const])(
      'is closed when its server says nothing to a ping either: a client %s',
      async (_what, capabilities) => {
        const given = linkTo(transport)
        const { server, open, request, time } = given
        const id = await open(capabilities)
        server.onMessage = ({ method = '' }, side) =>
          side === server.connections[0] && SILENT.includes(method)
        const response = await request('tools/call', {}, id, { timeoutMs: 50 })
        time.now += 50
        await response.body?.cancel()
        await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
        expect(methods(server.connections[0]?.got ?? [])).toContain('ping')
        // One that others share is opened again by itself.
        const isShared = transport === 'websocket' && capabilities !== asking
        const next = await request('tools/list', {}, id)
        expect(next.status).toBe(isShared ? 200 : 404)
        await next.body?.cancel()
      },
    )

    it('stays when its server answers the ping', async () => {
      const given = linkTo(transport)
      const { server, open, request } = given
      const id = await open(asking)
      server.onMessage = ({ method }) => method === 'tools/call'
      await leaveCall(given, id, 20_000)
      await expect.poll(() => methods(server.connections[0]?.got ?? [])).toContain('ping')
      expect((await (await request('tools/list', {}, id)).text()).length).toBeGreaterThan(0)
      expect(server.connections[0]?.isClosed()).toBe(false)
    })

    it('is asked nothing when something came meanwhile, or hardly any time has passed', async () => {
      const given = linkTo(transport)
      const { server, open, request } = given
      const id = await open(asking)
      server.onMessage = ({ method }, side) => {
        if (method !== 'tools/call') return false
        side.send({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info' } })
        return true
      }
      const response = await request('tools/call', {}, id, { timeoutMs: 20_000 })
      const events = readEvents(response)
      await events.next()
      given.time.now += 20_000
      await events.cancel()
      server.onMessage = ({ method }) => method === 'tools/call'
      await leaveCall(given, id, 4_999)
      await (await request('tools/list', {}, id)).text()
      expect(methods(server.connections[0]?.got ?? [])).not.toContain('ping')
    })

    it('is asked once, however many calls were left', async () => {
      const given = linkTo(transport)
      const { server, open, request } = given
      const id = await open(asking)
      server.onMessage = ({ method = '' }) => SILENT.includes(method)
      const calls = [await request('tools/call', {}, id), await request('tools/call', {}, id)]
      given.time.now += 5_000
      for (const call of calls) await call.body?.cancel()
      const pings = () => methods(server.connections[0]?.got ?? []).filter((one) => one === 'ping')
      await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
      expect(pings()).toHaveLength(1)
    })
  })

  it('takes other credentials for another client', async () => {
    const { server, open, request } = linkTo(transport)
    const id = await open(asking)
    const headers = new Headers({ 'x-key': 'two' })
    expect((await request('tools/list', {}, id, { headers })).status).toBe(404)
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
  })

  it('hands on what a server says that opens no session, and closes the connection', async () => {
    const { server, initialize } = linkTo(transport)
    server.onMessage = ({ id }, side) => {
      side.send({ jsonrpc: '2.0', id, error: { code: -32602, message: 'no' } })
      return true
    }
    const response = await initialize(asking)
    expect(response.headers.get('mcp-session-id')).toBeNull()
    expect(await response.json()).toMatchObject({ id: 'r1', error: { message: 'no' } })
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
  })

  it('waits for a hello no longer than it may', async () => {
    const { server, initialize } = linkTo(transport)
    server.onMessage = () => true
    const response = await initialize(asking, '2025-11-25', { timeoutMs: 20 })
    expect([response.status, faultOf(response)]).toEqual([502, 'timeout'])
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
  })

  it.each([401, 403, 404, 405, 500])('tells why it cannot connect: HTTP %i', async (status) => {
    const { server, initialize } = linkTo(transport)
    server.connectBy = reply(status)
    expect((await initialize(asking)).status).toBe(status)
  })

  it('tries a server again at once for who asks: its breaker knows when not to', async () => {
    const { server, initialize } = linkTo(transport)
    server.connectBy = fault('network')
    expect(faultOf(await initialize(asking))).toBe('network')
    expect(faultOf(await initialize(asking))).toBe('network')
    server.connectBy = undefined
    expect((await initialize(asking)).status).toBe(200)
  })

  it('keeps at most 250 connections, and closes the one that was idle the longest', async () => {
    const { server, open, initialize, send, time } = linkTo(transport)
    const streams = []
    for (let n = 0; n < 250; n += 1) {
      const id = await open(asking)
      if (n !== 7) streams.push(await send('GET', { sessionId: id }))
    }
    time.now += 1
    await open(asking)
    await expect.poll(() => server.connections[7]?.isClosed()).toBe(true)
    expect(server.connections.filter((side) => side.isClosed())).toHaveLength(1)
    await send('GET', {
      sessionId: (await initialize(asking)).headers.get('mcp-session-id') ?? undefined,
    })
    // Now that somebody hears each of them.
    const refused = await initialize(asking)
    expect([refused.status, faultOf(refused)]).toEqual([502, 'no_room'])
    for (const stream of streams) await stream.body?.cancel()
  })
})

describe('the share of one principal in a link', () => {
  const asking = { elicitation: {} }

  it('is 50 connections of the 250; his next one takes the place of his own, or none', async () => {
    const { server, initialize, send, time } = linkTo('websocket')
    const openAs = async (holder: string) => {
      const opened = await initialize(asking, undefined, { holder })
      return opened.headers.get('mcp-session-id') ?? undefined
    }
    const own = await openAs('quiet')
    const streams = []
    for (let n = 0; n < 50; n += 1) {
      const sessionId = await openAs('greedy')
      if (n !== 7) streams.push(await send('GET', { sessionId }))
    }
    time.now += 1
    // The one that is idle gives way, and it is not that of the other principal.
    streams.push(await send('GET', { sessionId: await openAs('greedy') }))
    await expect.poll(() => server.connections[8]?.isClosed()).toBe(true)
    const refused = await initialize(asking, undefined, { holder: 'greedy' })
    expect(faultOf(refused)).toBe('no_room')
    expect(server.connections[0]?.isClosed()).toBe(false)
    // What another one wants is there.
    const others = await Promise.all(
      Array.from({ length: 20 }, (_, n) => initialize(asking, undefined, { holder: `u${n}` })),
    )
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 200))
    expect((await send('DELETE', { sessionId: own })).status).toBe(204)
    for (const stream of streams) await stream.body?.cancel()
  })

  it('is given back when a connection ends', async () => {
    const { initialize, send } = linkTo('websocket')
    for (let n = 0; n < 60; n += 1) {
      const opened = await initialize(asking, undefined, { holder: 'one' })
      const sessionId = opened.headers.get('mcp-session-id') ?? undefined
      const stream = await send('GET', { sessionId })
      expect((await send('DELETE', { sessionId })).status).toBe(204)
      await stream.body?.cancel()
    }
  })
})

describe('a link of sse', () => {
  it.each(['/messages?n=', 'messages?n=', 'https://up.example/m?n='])(
    'sends messages where the first event says: %s',
    async (endpoint) => {
      const { server, open } = linkTo('sse')
      server.endpoint = endpoint
      await open()
      const [, posted] = server.requests
      expect(posted?.url).toBe(new URL(`${endpoint}0`, 'https://up.example/sse').href)
    },
  )

  it.each([
    'https://other.example/messages',
    'http://up.example/messages',
    'https://up.example:444/messages',
    '//other.example/messages',
    'javascript:alert(1)',
    'https://',
  ])('sends nothing to another origin: %s', async (endpoint) => {
    const { server, initialize } = linkTo('sse')
    server.endpoint = endpoint
    const response = await initialize()
    expect(faultOf(response)).toBe('refused_address')
    expect(server.requests).toHaveLength(1)
    expect(server.connections[0]?.isClosed()).toBe(true)
  })

  it('waits for the first event no longer than it may', async () => {
    const { server, initialize } = linkTo('sse')
    server.endpoint = undefined
    const response = await initialize({}, '2025-11-25', { timeoutMs: 20 })
    expect(faultOf(response)).toBe('timeout')
  })

  it('takes a page for the answer of another transport', async () => {
    const { server, initialize } = linkTo('sse')
    server.connectBy = reply(200, '<p>hello</p>', 'text/html')
    expect((await initialize()).status).toBe(405)
  })

  it('takes 200 for accepted', async () => {
    const { server, open, request } = linkTo('sse')
    const id = await open()
    server.acceptBy = reply(200, 'ok')
    const response = await request('tools/list', {}, id)
    expect(response.status).toBe(200)
    await response.body?.cancel()
  })

  it('tells of a message that was not accepted, and keeps the session', async () => {
    const { server, open, request, post } = linkTo('sse')
    const id = await open()
    const error = '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"bad"}}'
    server.acceptBy = reply(400, error, 'application/json')
    const response = await request('tools/call', {}, id)
    expect([response.status, await response.text()]).toEqual([400, error])
    server.acceptBy = fault('network')
    expect(faultOf(await request('tools/call', {}, id))).toBe('network')
    expect(faultOf(await post({ method: 'notifications/x' }, id))).toBe('network')
    server.acceptBy = undefined
    const answered = await request('tools/list', {}, id)
    expect(data((await answered.text()).trim())).toMatchObject({ result: {} })
  })

  it('passes on a cancel of a message of which nobody knows whether it arrived', async () => {
    const { server, open, request, post } = linkTo('sse')
    const id = await open()
    server.acceptBy = fault('timeout')
    expect(faultOf(await request('tools/call', {}, id))).toBe('timeout')
    server.acceptBy = undefined
    await post({ method: 'notifications/cancelled', params: { requestId: 'r2' } }, id)
    expect(methods(server.connections[0]?.got ?? [])).toContain('notifications/cancelled')
  })

  it('ends a session that the server says it does not know', async () => {
    const { server, open, request } = linkTo('sse')
    const id = await open()
    server.acceptBy = reply(404)
    expect((await request('tools/call', {}, id)).status).toBe(404)
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
  })

  it('has a connection for each session, whatever its client can do', async () => {
    const { server, open } = linkTo('sse')
    await Promise.all([open(), open()])
    expect(server.connections).toHaveLength(2)
  })

  it('closes a connection on which an event is too large', async () => {
    const { server, open } = linkTo('sse')
    await open()
    server.connections[0]?.send('x'.repeat(33 * 1024 * 1024))
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
  })
})
