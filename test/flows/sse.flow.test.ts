import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { scriptedRoom } from '../support/scripted-room.ts'
import { call, echoed, type SseTenant, sseTenant } from '../support/sse-tenant.ts'

const told = (method: string) =>
  `data: {"jsonrpc":"2.0","method":"${method}","params":{"n":1.0}}\n\n`

describe('HTTP with SSE (MCP 2024-11-05) in front of one server', () => {
  const room = scriptedRoom('sse')
  let tenant: SseTenant

  beforeAll(async () => {
    tenant = await sseTenant(room)
  })

  beforeEach(() => tenant.reset())

  it('says where to post, and answers there on the stream', async () => {
    const client = await tenant.open()
    expect(client.endpoint).toMatch(/^\/scripted\/messages\?sessionId=[\w.-]+$/)
    const { protocolVersion } = await client.greet()
    expect(protocolVersion).toBe('2025-11-25')
    await client.say(call(1, 'echo', { a: 1 }))
    expect(await client.next()).toMatchObject(echoed(1, { a: 1 }))
    await client.leave()
  })

  it('takes what is posted on another isolate', async () => {
    const client = await tenant.greeted()
    await client.say(call('far', 'echo', { far: true }), { on: tenant.other })
    expect(await client.next()).toMatchObject(echoed('far', { far: true }))
    await client.leave()
  })

  it('writes each message as an event of its own, without what newer clients resume by', async () => {
    const client = await tenant.greeted()
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
    const client = await tenant.open()
    await room.log()
    await client.greet('2024-11-05')
    await client.say(call(1, 'echo'))
    await client.next()
    const sent = await tenant.posted()
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
    const client = await tenant.greeted()
    await room.control({ say: told('notifications/tools/list_changed') })
    expect(await client.nextEvent()).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"n":1.0}}',
    )
    await client.leave()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
  })

  it('serves a server that opens no stream', async () => {
    await room.control({ offersStreams: false })
    const client = await tenant.open()
    await client.greet()
    await client.say(call(1, 'echo', {}))
    expect(await client.next()).toMatchObject(echoed(1, {}))
    await client.leave()
  })

  it('goes on by itself where a newer client would resume the answer', async () => {
    const client = await tenant.greeted('2025-11-25')
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
    const client = await tenant.greeted()
    await client.say(call('broken', tool))
    let answer = await client.next()
    while (answer && !('id' in answer)) answer = await client.next()
    expect(answer).toMatchObject({ id: 'broken', error: { code: -31012 } })
    await client.leave()
  })

  it('carries a large answer and a body of almost 4 MiB', async () => {
    const client = await tenant.greeted()
    // Characters of two halves lie where a body is cut.
    const text = '\u{1F600}"'.repeat(600_000)
    await client.say(call('large', 'echo', { text }))
    const answer = await client.next()
    expect(answer).toEqual({ jsonrpc: '2.0', ...echoed('large', { text }) })
    await client.leave()
  })

  it('takes a batch, and gives each answer as a message of its own', async () => {
    await room.control({ offersStreams: false })
    const client = await tenant.open()
    await client.greet()
    const batch = [call(1, 'echo', { n: 1 }), call(2, 'echo', { n: 2 })]
    const body = JSON.stringify(batch.map((message) => ({ jsonrpc: '2.0', ...message })))
    expect((await client.post(body)).status).toBe(202)
    // The server has agreed upon a revision without batches.
    expect(await client.next()).toMatchObject({ id: null, error: { code: -32600 } })
    await client.leave()
  })

  it('writes a line of events for the stream, each POST and each message', async () => {
    const client = await tenant.greeted()
    tenant.gateway.events.length = 0
    await client.say(call(1, 'echo'), { headers: { 'x-request-id': 'the-request' } })
    await client.next()
    await expect.poll(() => tenant.lines().length).toBe(2)
    const common = { requestId: 'the-request', server: 'scripted', era: 'legacy', outcome: 'ok' }
    expect(tenant.lines()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...common, route: '/:server/messages', status: 202 }),
        expect.objectContaining({
          ...common,
          ...{ route: '/:server/sse', status: 200, httpMethod: 'POST' },
          ...{ method: 'tools/call', tool: 'echo', tenant: tenant.gateway.tenant },
        }),
      ]),
    )
    await client.leave()
    await expect
      .poll(() => tenant.lines().at(-1))
      .toMatchObject({ route: '/:server/sse', httpMethod: 'GET', outcome: 'cancelled' })
  })
})
