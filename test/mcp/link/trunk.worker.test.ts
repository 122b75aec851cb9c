import { describe, expect, it } from 'vitest'
import { readEvents } from '../../support/event-reader.ts'
import { data, fault, type Got, linkTo, methods, reply } from './fake-servers.ts'

const of =
  (method: string) =>
  (got: readonly Got[] = []) =>
    got.filter((one) => one.method === method)

describe('a connection that clients share', () => {
  it('is opened once, and the gateway says hello on it, once', async () => {
    const { server, open, initialize } = linkTo('websocket')
    await Promise.all([open(), open(), open()])
    expect(server.connections).toHaveLength(1)
    const got = server.connections[0]?.got
    expect(of('initialize')(got)).toMatchObject([
      { params: { capabilities: {}, clientInfo: { name: 'gatehouse' } } },
    ])
    expect(of('notifications/initialized')(got)).toHaveLength(1)
    const later = await initialize()
    expect(await later.json()).toMatchObject({
      id: 'r4',
      result: { protocolVersion: '2025-11-25', serverInfo: { name: 'fake' } },
    })
  })

  it('is not for a client that answers questions, or can do something else', async () => {
    const { server, open } = linkTo('websocket')
    const capable = ['elicitation', 'sampling', 'roots', 'experimental']
    for (const capabilities of [{}, ...capable.map((name) => ({ [name]: {} }))]) {
      await open(capabilities)
    }
    expect(server.connections).toHaveLength(5)
  })

  it('has room for clients when there is none for connections of their own', async () => {
    const { server, open, initialize, send } = linkTo('websocket')
    const joined = await open()
    for (let n = 0; n < 250; n += 1) {
      await send('GET', { sessionId: await open({ elicitation: {} }) })
    }
    await open()
    expect(server.connections).toHaveLength(251)
    // Who shares a connection makes no room for one.
    const refused = await initialize({ elicitation: {} })
    expect(refused.headers.get('x-gatehouse-fault')).toBe('no_room')
    expect((await send('GET', { sessionId: joined })).status).toBe(200)
  })

  it('is another one for another revision, and none for revisions that are made up', async () => {
    const { server, open } = linkTo('websocket')
    await open({}, '2025-11-25')
    await open({}, '2025-06-18')
    await open({}, '2025-06-18')
    expect(server.connections).toHaveLength(2)
    for (let n = 0; n < 6; n += 1) await open({}, `made-up-${n}`)
    await open({}, 'made-up-5')
    expect(server.connections).toHaveLength(8)
    await open({}, 'made-up-6')
    await open({}, 'made-up-6')
    expect(server.connections).toHaveLength(10)
  })

  it('has the most talkative log level that a client wants', async () => {
    const { server, open, request } = linkTo('websocket')
    const [one, two] = [await open(), await open()]
    const setLevel = async (id: string, level: string) =>
      (await request('logging/setLevel', { level }, id)).text()
    await setLevel(one, 'warning')
    await setLevel(two, 'error')
    await setLevel(one, 'debug')
    await setLevel(two, 'alert')
    const levels = of('logging/setLevel')(server.connections[0]?.got)
    expect(levels.map(({ params }) => params?.['level'])).toEqual([
      'warning',
      'warning',
      'debug',
      'debug',
    ])
  })

  it('keeps a subscription for as long as one client wants it', async () => {
    const { server, open, request, send } = linkTo('websocket')
    const [one, two] = [await open(), await open()]
    const say = async (method: string, id: string) =>
      (await request(method, { uri: 'a' }, id)).text()
    await say('resources/subscribe', one)
    await say('resources/subscribe', two)
    const streams = await Promise.all(
      [one, two].map(async (sessionId) => readEvents(await send('GET', { sessionId }))),
    )
    expect(await say('resources/unsubscribe', one)).toContain('"result":{}')
    const [side] = server.connections
    expect(methods(side?.got)).not.toContain('resources/unsubscribe')
    const updated = {
      jsonrpc: '2.0',
      method: 'notifications/resources/updated',
      params: { uri: 'a' },
    }
    const changed = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }
    side?.send(updated)
    side?.send(changed)
    expect(data(await streams[0]?.next())).toEqual(changed)
    expect(data(await streams[1]?.next())).toEqual(updated)
    await say('resources/unsubscribe', two)
    expect(methods(side?.got)).toContain('resources/unsubscribe')
    await Promise.all(streams.map((stream) => stream.cancel()))
  })

  it('is opened again for the next message, with all that was asked for, and nothing is sent twice', async () => {
    const { server, open, request } = linkTo('websocket')
    const id = await open()
    await (await request('logging/setLevel', { level: 'info' }, id)).text()
    await (await request('resources/subscribe', { uri: 'a' }, id)).text()
    server.onMessage = ({ method }) => method === 'tools/call'
    const lost = await request('tools/call', {}, id)
    server.connections[0]?.end()
    expect(await lost.text()).toBe('')
    const answered = await request('tools/list', {}, id)
    expect(answered.status).toBe(200)
    expect(data((await answered.text()).trim())).toMatchObject({ result: { method: 'tools/list' } })
    expect(server.connections).toHaveLength(2)
    expect(methods(server.connections[1]?.got).sort()).toEqual([
      'initialize',
      'logging/setLevel',
      'notifications/initialized',
      'resources/subscribe',
      'tools/list',
    ])
  })

  it('comes back by itself while somebody listens, however long the server is away', async () => {
    const { server, open, send, time } = linkTo('websocket')
    const id = await open()
    const stream = readEvents(await send('GET', { sessionId: id }))
    let failures = 0
    server.connectBy = () => {
      failures += 1
      if (failures === 2) server.connectBy = undefined
      return fault('network')()
    }
    server.connections[0]?.end()
    await expect
      .poll(
        () => {
          time.now += 60_000
          return server.connections.length
        },
        { timeout: 5_000 },
      )
      .toBe(2)
    expect(failures).toBe(2)
    await expect
      .poll(() => methods(server.connections[1]?.got))
      .toContain('notifications/initialized')
    server.connections[1]?.send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
    expect(data(await stream.next())).toMatchObject({ method: 'notifications/tools/list_changed' })
    await stream.cancel()
  })

  it('stays away when nobody listens', async () => {
    const { server, open } = linkTo('websocket')
    await open()
    server.connections[0]?.end()
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
    expect(server.connections).toHaveLength(1)
  })

  it('is asked whether it lives before another client joins', async () => {
    const { server, open } = linkTo('websocket')
    await open()
    expect(methods(server.connections[0]?.got)).not.toContain('ping')
    await open()
    expect(methods(server.connections[0]?.got)).toContain('ping')
  })

  it('is given up when it does not live', async () => {
    const { server, open, initialize } = linkTo('websocket')
    await open()
    server.onMessage = ({ method }, side) => side === server.connections[0] && method === 'ping'
    const response = await initialize({}, '2025-11-25', { timeoutMs: 20 })
    expect(response.status).toBe(200)
    expect(server.connections).toHaveLength(2)
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
  })

  it.each([
    [
      'refuses the hello',
      (got: Got, send: (m: object) => void) =>
        send({ jsonrpc: '2.0', id: got.id, error: { code: 1, message: 'no' } }),
      502,
    ],
    ['closes', () => undefined, 502],
  ])('is none with a server that %s', async (what, act, status) => {
    const { server, initialize } = linkTo('websocket')
    server.onMessage = (got, side) => {
      act(got, side.send)
      if (what === 'closes') side.end()
      return true
    }
    expect((await initialize()).status).toBe(status)
  })

  it.each([404, 401, 503])('tells why it cannot connect: HTTP %i', async (status) => {
    const { server, initialize } = linkTo('websocket')
    server.connectBy = reply(status)
    expect((await initialize()).status).toBe(status)
  })

  it('is closed once all its clients have gone, after a while', async () => {
    const { link, server, open, send, time } = linkTo('websocket')
    const id = await open()
    await send('DELETE', { sessionId: id })
    expect(link.sweep()).toBe(true)
    expect(server.connections[0]?.isClosed()).toBe(false)
    time.now += 5 * 60_000
    expect(link.sweep()).toBe(false)
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
  })

  it('ends with credentials that are taken away, and with it the sessions on it', async () => {
    const { server, open, initialize, request } = linkTo('websocket')
    const id = await open()
    const headers = new Headers({ 'x-key': 'two' })
    expect((await initialize({}, '2025-11-25', { headers })).status).toBe(200)
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
    expect((await request('tools/list', {}, id, { headers })).status).toBe(404)
  })
})
