import { describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import { createTestGateway, hello, legacy, modern, rest } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

/** ATTACKS.md, 21: what is meant to exhaust the gateway is bounded, by size and by time. */
describe('streams that a client opens', () => {
  const room = scriptedRoom('stream-bounds')

  async function gatewayWith(vars: Record<string, string>) {
    let now = Date.now()
    const gateway = createTestGateway({ vars, seams: { clock: { now: () => now } } })
    const token = await gateway.token({ ttlSeconds: 10 * 86_400 })
    await room.register(gateway, token, { endpoints: [{ url: room.url('dual') }] })
    const open = async () => {
      const opened = await gateway.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
      await opened.text()
      return gateway.fetch('/scripted/mcp', {
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'text/event-stream',
          'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
        },
      })
    }
    const advance = (ms: number) => {
      now += ms
    }
    return { gateway, token, open, advance }
  }

  it('end cleanly when their time is over, between two messages', async () => {
    const { gateway, open, advance } = await gatewayWith({ STREAM_MAX_MS: '3600000' })
    const events = readEvents(await open())
    // A clock that leaps may find a sign of life due before the message.
    const next = async () => {
      const event = await events.next()
      return event === ': keep-alive' ? events.next() : event
    }
    const told = 'data: {"jsonrpc":"2.0","method":"notifications/x"}'
    await room.control({ say: `${told}\n\n` })
    expect(await next()).toBe(told)
    advance(3_600_001)
    await room.control({ say: `${told}\n\n` })
    expect(await next()).toBe(told)
    expect(await next()).toBeUndefined()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    const lines = () => gateway.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(lines).toMatchObject([{ outcome: 'ok', status: 200 }])
  })

  it('end the same way where the gateway itself tells them', async () => {
    const { gateway, token } = await gatewayWith({ STREAM_MAX_MS: '500' })
    const params = { notifications: { toolsListChanged: true } }
    const response = await gateway.fetch('/mcp', modern(token, 'subscriptions/listen', params))
    const text = await response.text()
    expect(text).toMatch(/"id":1,"result":\{"resultType":"complete"/)
  })

  it('are cut when they are not read, and what they hear is left', async () => {
    const { gateway, open } = await gatewayWith({ STREAM_STALL_MS: '200' })
    const response = await open()
    const told = `data: {"jsonrpc":"2.0","method":"notifications/x","params":{"a":"${'x'.repeat(100_000)}"}}\n\n`
    await room.control({ say: told.repeat(3) })
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    const lines = () => gateway.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(lines).toMatchObject([{ outcome: 'stalled' }])
    await expect(response.text()).rejects.toThrow()
  })
})

describe('the places of one principal for streams', () => {
  const room = scriptedRoom('places')

  it('are 100 over all isolates, whatever the streams are, and are given back', async () => {
    const here = createTestGateway()
    const there = createTestGateway({ tenant: here.tenant })
    const token = await here.token()
    const policy = { group_mappings: { people: ['user'] } }
    await here.fetch('/api/v1/policy', rest(token, 'PUT', policy))
    await room.register(here, token, { endpoints: [{ url: room.url('dual') }] })
    const opened = await here.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    const headers = {
      authorization: `Bearer ${token}`,
      accept: 'text/event-stream',
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
    }
    const get = () => here.fetch('/scripted/mcp', { headers })
    const sse = (as = token) =>
      there.fetch('/scripted/sse', {
        headers: { authorization: `Bearer ${as}`, accept: 'text/event-stream' },
      })
    const params = { notifications: { toolsListChanged: true } }
    const listen = () => there.fetch('/mcp', modern(token, 'subscriptions/listen', params))

    const streams: Response[] = []
    for (let n = 0; n < 50; n += 1) streams.push(await get(), await sse())
    expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200))
    for (const open of [get, sse, listen]) {
      const refused = await open()
      expect(refused.status).toBe(429)
      expect(refused.headers.get('retry-after')).toBe('30')
      expect(await refused.json()).toMatchObject({ error: { data: { code: 'rate_limited' } } })
    }
    const other = await there.token({ subject: 'ann', groups: ['people'] })
    const hers = await sse(other)
    expect(hers.status).toBe(200)

    await streams[0]?.body?.cancel()
    await streams[1]?.body?.cancel()
    const again: Response[] = []
    for (const open of [get, sse]) {
      await expect
        .poll(async () => {
          const response = await open()
          again.push(response)
          return response.status
        })
        .toBe(200)
    }
    const all = [...streams.slice(2), ...again, hers]
    await Promise.all(all.map(async ({ body }) => body?.cancel()))
  })
})
