import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { scriptedRoom } from '../support/scripted-room.ts'
import { call, echoed, type SseTenant, sseTenant } from '../support/sse-tenant.ts'

describe('HTTP with SSE (MCP 2024-11-05) in front of one server', () => {
  const room = scriptedRoom('sse-order')
  let tenant: SseTenant

  beforeAll(async () => {
    tenant = await sseTenant(room)
  })

  beforeEach(() => tenant.reset())

  it('runs calls side by side; equal ids of two streams stay apart', async () => {
    const [one, two] = [await tenant.open(), await tenant.open()]
    await one.greet()
    await two.greet()
    await room.log()
    await one.say(call(1, 'held', { of: 'one' }))
    await two.say(call(1, 'held', { of: 'two' }))
    const arrived: string[] = []
    await expect
      .poll(
        async () =>
          arrived.push(...(await tenant.posted()).map(({ body }) => body)) && arrived.join(),
      )
      .toMatch(/held.*held/)
    await one.say(call(2, 'echo', { quick: true }))
    expect(await one.next()).toMatchObject(echoed(2, { quick: true }))
    await room.control({ release: true })
    expect(await one.next()).toMatchObject(echoed(1, { of: 'one' }))
    expect(await two.next()).toMatchObject(echoed(1, { of: 'two' }))
    await one.leave()
    await two.leave()
  })

  it('lets an answer and a cancel pass the calls that wait', async () => {
    const client = await tenant.greeted()
    await room.log()
    // Four wait for headers, so the others wait for their turn.
    for (let id = 1; id <= 6; id += 1) await client.say(call(id, 'silent'))
    await client.say({ id: 'asked', result: { roots: [] } })
    const methods = async (): Promise<unknown[]> =>
      (await tenant.posted()).map(({ body }) => JSON.parse(body).method ?? JSON.parse(body).id)
    const seen: unknown[] = []
    await expect
      .poll(async () => seen.push(...(await methods())) && seen)
      .toEqual(['tools/call', 'tools/call', 'tools/call', 'tools/call', 'asked'])
    // Of one that waits the server never hears; of one that runs it is told.
    for (const requestId of [6, 1]) {
      await client.say({ method: 'notifications/cancelled', params: { requestId } })
    }
    await expect.poll(async () => methods()).toContain('notifications/cancelled')
    await client.leave()
    await expect
      .poll(() => tenant.lines().filter(({ outcome }) => outcome === 'cancelled').length)
      .toBe(7)
    const log = await room.log()
    expect(log.closed).toEqual(['silent', 'silent', 'silent', 'silent'])
  })

  it('opens one session a stream', async () => {
    const client = await tenant.greeted()
    await client.say({ id: 'again', method: 'initialize', params: { protocolVersion: 'x' } })
    expect(await client.next()).toMatchObject({ id: 'again', error: { code: -32600 } })
    await client.leave()
  })

  it('tells a client that asks before it said hello', async () => {
    const client = await tenant.open()
    await client.say(call(1, 'echo'))
    expect(await client.next()).toMatchObject({ id: 1, error: { code: -32600 } })
    await client.leave()
  })

  it('hears nothing for a stream that is gone', async () => {
    const client = await tenant.greeted()
    await client.leave()
    const message = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
    await expect.poll(async () => (await client.post(message)).status).toBe(404)
    await expect
      .poll(async () => (await client.post(message, { on: tenant.other })).status)
      .toBe(404)
  })

  it('keeps the order of a client that does not wait for the handshake', async () => {
    const client = await tenant.open()
    await room.log()
    const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: {} }
    await client.say({ id: 0, method: 'initialize', params })
    await client.say({ method: 'notifications/initialized' })
    await client.say(call(1, 'echo', { early: true }))
    expect(await client.next()).toMatchObject({ id: 0, result: {} })
    expect(await client.next()).toMatchObject(echoed(1, { early: true }))
    expect((await tenant.posted()).map(({ body }) => JSON.parse(body).method)).toEqual([
      ...['initialize', 'notifications/initialized', 'tools/call'],
    ])
    await client.leave()
  })

  it('refuses what is asked when too much waits', async () => {
    const client = await tenant.greeted()
    // Four wait for their server, a hundred for their turn.
    for (let id = 1; id <= 105; id += 1) await client.say(call(id, 'silent'))
    expect(await client.next()).toMatchObject({
      id: 105,
      error: { data: { code: 'rate_limited' } },
    })
    await client.say({ method: 'notifications/cancelled', params: { requestId: 104 } })
    await client.say(call('room again', 'silent'))
    await client.say(call('none again', 'silent'))
    expect(await client.next()).toMatchObject({ id: 'none again', error: {} })
    await client.leave()
  })

  it('goes on when the server forgot the session', async () => {
    const client = await tenant.greeted()
    await room.control({ forgetStatus: 404 })
    await client.say(call(1, 'echo', { again: true }))
    expect(await client.next()).toMatchObject(echoed(1, { again: true }))
    await client.leave()
  })
})
