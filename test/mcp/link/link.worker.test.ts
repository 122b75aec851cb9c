import { describe, expect, it } from 'vitest'
import { readEvents } from '../../support/event-reader.ts'
import { data, fault, faultOf, linkTo, methods, reply } from './fake-servers.ts'

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
})
