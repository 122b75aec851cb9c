import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { openSse, type SseClient } from '../support/sse-client.ts'

const call = (id: unknown, name: string, args: object = {}) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: args },
})
const echoed = (id: unknown, args: object) => ({
  id,
  result: { content: [{ type: 'text', text: JSON.stringify(args) }] },
})
const told = (method: string) =>
  `data: {"jsonrpc":"2.0","method":"${method}","params":{"n":1.0}}\n\n`

describe('HTTP with SSE (MCP 2024-11-05) in front of one server', () => {
  const room = scriptedRoom('sse')
  let gateway: TestGateway
  let other: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    other = createTestGateway({ tenant: gateway.tenant })
    token = await gateway.token()
    await room.register(gateway, token, { endpoints: [{ url: room.url('dual') }] })
  })

  beforeEach(async () => {
    await room.control({ closeStreams: true, offersStreams: true, release: true })
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    gateway.events.length = 0
  })

  const open = () => openSse(gateway, token, '/scripted/sse')
  async function greeted(version?: string): Promise<SseClient> {
    const client = await open()
    await client.greet(version)
    await expect.poll(async () => (await room.log()).streams).toBe(1)
    return client
  }
  const posted = async () =>
    (await room.log()).log.filter(({ httpMethod }) => httpMethod === 'POST')
  const lines = () => gateway.events.filter(({ type }) => type === 'request')

  it('says where to post, and answers there on the stream', async () => {
    const client = await open()
    expect(client.endpoint).toMatch(/^\/scripted\/messages\?sessionId=[\w.-]+$/)
    const { protocolVersion } = await client.greet()
    expect(protocolVersion).toBe('2025-11-25')
    await client.say(call(1, 'echo', { a: 1 }))
    expect(await client.next()).toMatchObject(echoed(1, { a: 1 }))
    await client.leave()
  })

  it('takes what is posted on another isolate', async () => {
    const client = await greeted()
    await client.say(call('far', 'echo', { far: true }), { on: other })
    expect(await client.next()).toMatchObject(echoed('far', { far: true }))
    await client.leave()
  })

  it('writes each message as an event of its own, without what newer clients resume by', async () => {
    const client = await greeted()
    await client.say(call(7, 'exotic_sse'))
    expect(await client.nextEvent()).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}',
    )
    const answer = await client.nextEvent()
    expect(answer).toMatch(/^event: message\ndata: \{"jsonrpc":"2\.0","id":7,"result":\{"content"/)
    expect(answer).toContain('"big":123456789012345678901')
    await client.say(call(8, 'exotic'))
    const whole = await client.nextEvent()
    expect(whole).toMatch(/^event: message\ndata: \{"jsonrpc": "2\.0", "id": 8,/)
    expect(whole?.split('\n')).toHaveLength(2)
    await client.leave()
  })

  it('speaks to the server as a client of Streamable HTTP does, within one session', async () => {
    const client = await open()
    await room.log()
    await client.greet('2024-11-05')
    await client.say(call(1, 'echo'))
    await client.next()
    const sent = await posted()
    expect(sent.map(({ body }) => JSON.parse(body).method)).toEqual([
      'initialize',
      'notifications/initialized',
      'tools/call',
    ])
    expect(JSON.parse(sent[0]?.body ?? '').params).toMatchObject({
      protocolVersion: '2024-11-05',
      capabilities: { elicitation: {}, sampling: {} },
    })
    expect(sent[0]?.headers).not.toHaveProperty('mcp-session-id')
    const session = sent[1]?.headers['mcp-session-id']
    expect(session).toMatch(/^upstream-/)
    // The server has agreed upon a revision that is announced.
    expect(sent[2]?.headers).toMatchObject({
      'mcp-session-id': session,
      'mcp-protocol-version': '2025-11-25',
    })
    await client.leave()
    await expect
      .poll(async () => (await room.log()).log.map(({ httpMethod }) => httpMethod))
      .toContain('DELETE')
  })

  it('carries what the server says by itself', async () => {
    const client = await greeted()
    await room.control({ say: told('notifications/tools/list_changed') })
    expect(await client.nextEvent()).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"n":1.0}}',
    )
    await client.leave()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
  })

  it('serves a server that opens no stream', async () => {
    await room.control({ offersStreams: false })
    const client = await open()
    await client.greet()
    await client.say(call(1, 'echo', {}))
    expect(await client.next()).toMatchObject(echoed(1, {}))
    await client.leave()
  })

  it('runs calls side by side; equal ids of two streams stay apart', async () => {
    const [one, two] = [await open(), await open()]
    await one.greet()
    await two.greet()
    await room.log()
    await one.say(call(1, 'held', { of: 'one' }))
    await two.say(call(1, 'held', { of: 'two' }))
    const arrived: string[] = []
    await expect
      .poll(async () => arrived.push(...(await posted()).map(({ body }) => body)) && arrived.join())
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
    const client = await greeted()
    await room.log()
    // Four wait for headers, so the others wait for their turn.
    for (let id = 1; id <= 6; id += 1) await client.say(call(id, 'silent'))
    await client.say({ id: 'asked', result: { roots: [] } })
    const methods = async (): Promise<unknown[]> =>
      (await posted()).map(({ body }) => JSON.parse(body).method ?? JSON.parse(body).id)
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
    await expect.poll(() => lines().filter(({ outcome }) => outcome === 'cancelled').length).toBe(7)
    const log = await room.log()
    expect(log.closed).toEqual(['silent', 'silent', 'silent', 'silent'])
  })

  it('goes on by itself where a newer client would resume the answer', async () => {
    const client = await greeted('2025-11-25')
    await client.say(call('poll', 'sse_poll'))
    for (;;) {
      const message = await client.next()
      if (message?.['id'] !== 'poll') continue
      expect(message).toHaveProperty('result')
      break
    }
    await client.leave()
  })

  it.each([
    ['die_before', /./],
    ['die_mid_json', /./],
    ['die_mid_sse', /./],
    ['die_mid_answer', /./],
    ['sse_no_answer', /./],
    ['html', /./],
  ])('gives an error where the server lets the answer break (%s)', async (tool) => {
    const client = await greeted()
    await client.say(call('broken', tool))
    let answer = await client.next()
    while (answer && !('id' in answer)) answer = await client.next()
    expect(answer).toMatchObject({ id: 'broken', error: { code: -31012 } })
    await client.leave()
  })

  it('carries a large answer and a body of almost 4 MiB', async () => {
    const client = await greeted()
    // Characters of two halves lie where a body is cut.
    const text = '\u{1F600}"'.repeat(600_000)
    await client.say(call('large', 'echo', { text }))
    const answer = await client.next()
    expect(answer).toEqual({ jsonrpc: '2.0', ...echoed('large', { text }) })
    await client.leave()
  })

  it('takes a batch, and gives each answer as a message of its own', async () => {
    await room.control({ offersStreams: false })
    const client = await open()
    await client.greet()
    const batch = [call(1, 'echo', { n: 1 }), call(2, 'echo', { n: 2 })]
    const body = JSON.stringify(batch.map((message) => ({ jsonrpc: '2.0', ...message })))
    expect((await client.post(body)).status).toBe(202)
    // The server has agreed upon a revision without batches.
    expect(await client.next()).toMatchObject({ id: null, error: { code: -32600 } })
    await client.leave()
  })

  it('writes a line of events for the stream, each POST and each message', async () => {
    const client = await greeted()
    gateway.events.length = 0
    await client.say(call(1, 'echo'), { headers: { 'x-request-id': 'the-request' } })
    await client.next()
    await expect.poll(() => lines().length).toBe(2)
    const common = { requestId: 'the-request', server: 'scripted', era: 'legacy', outcome: 'ok' }
    expect(lines()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...common, route: '/:server/messages', status: 202 }),
        expect.objectContaining({
          ...common,
          ...{ route: '/:server/sse', status: 200, httpMethod: 'POST' },
          ...{ method: 'tools/call', tool: 'echo', tenant: gateway.tenant },
        }),
      ]),
    )
    await client.leave()
    await expect
      .poll(() => lines().at(-1))
      .toMatchObject({ route: '/:server/sse', httpMethod: 'GET', outcome: 'cancelled' })
  })

  it('opens one session a stream', async () => {
    const client = await greeted()
    await client.say({ id: 'again', method: 'initialize', params: { protocolVersion: 'x' } })
    expect(await client.next()).toMatchObject({ id: 'again', error: { code: -32600 } })
    await client.leave()
  })

  it('tells a client that asks before it said hello', async () => {
    const client = await open()
    await client.say(call(1, 'echo'))
    expect(await client.next()).toMatchObject({ id: 1, error: { code: -32600 } })
    await client.leave()
  })

  it('hears nothing for a stream that is gone', async () => {
    const client = await greeted()
    await client.leave()
    const message = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
    await expect.poll(async () => (await client.post(message)).status).toBe(404)
    await expect.poll(async () => (await client.post(message, { on: other })).status).toBe(404)
  })

  it('keeps the order of a client that does not wait for the handshake', async () => {
    const client = await open()
    await room.log()
    const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: {} }
    await client.say({ id: 0, method: 'initialize', params })
    await client.say({ method: 'notifications/initialized' })
    await client.say(call(1, 'echo', { early: true }))
    expect(await client.next()).toMatchObject({ id: 0, result: {} })
    expect(await client.next()).toMatchObject(echoed(1, { early: true }))
    expect((await posted()).map(({ body }) => JSON.parse(body).method)).toEqual([
      ...['initialize', 'notifications/initialized', 'tools/call'],
    ])
    await client.leave()
  })

  it('refuses what is asked when too much waits', async () => {
    const client = await greeted()
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
    const client = await greeted()
    await room.control({ forgetStatus: 404 })
    await client.say(call(1, 'echo', { again: true }))
    expect(await client.next()).toMatchObject(echoed(1, { again: true }))
    await client.leave()
  })
})
