import { describe, expect, it } from 'vitest'
import { readEvents } from '../../support/event-reader.ts'
import { faultOf, linkTo, methods } from './fake-servers.ts'

const MINUTE_MS = 60_000

describe.each(['sse', 'websocket'] as const)('a link of %s', (transport) => {
  const asking = { elicitation: {} }

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
