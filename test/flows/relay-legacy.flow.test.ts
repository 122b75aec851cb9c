import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hello, legacy, NOTIFICATION } from '../support/gateway.ts'
import { type LegacyRelay, legacyRelay, rpcMethod } from '../support/legacy-relay.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

describe('a legacy session', () => {
  const room = scriptedRoom('relay-legacy')
  let relay: LegacyRelay

  beforeAll(async () => {
    relay = await legacyRelay(room)
  })

  beforeEach(async () => {
    await room.log()
  })

  // req: client-capabilities-forwarded
  // req: upstream-ids-own
  it("forwards the client's own hello, byte for byte but for the id", async () => {
    const text =
      '{"jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"vendor":{"n":1.0}},"clientInfo":{"name":"c","version":"1"}},"id":"mine"}'
    await relay.gateway.fetch('/relic/mcp', { ...legacy(relay.token, 'x'), body: text })
    const [logged] = (await room.log()).log
    const id = JSON.parse(logged?.body ?? '{}').id
    expect(logged?.body).toBe(text.replace('"mine"', JSON.stringify(id)))
    expect(id).not.toBe('mine')
  })

  // req: equal-ids-apart
  it('keeps requests apart that carry the same id', async () => {
    const headers = await relay.open()
    const [first, second] = await Promise.all([
      relay.call(headers, 'one'),
      relay.call(headers, 'two'),
    ])
    expect(await first.text()).toContain('one')
    expect(await second.text()).toContain('two')
    const ids = (await room.log()).log
      .filter((entry) => rpcMethod(entry) === 'tools/call')
      .map(({ body }) => JSON.parse(body).id)
    expect(new Set(ids).size).toBe(2)
  })

  it('is not opened by a batch, which could not give its id away', async () => {
    const message = (id: number, method: string, params = {}) => ({
      ...{ jsonrpc: '2.0', id, method, params },
    })
    const body = JSON.stringify([message(1, 'initialize', hello('2025-03-26')), message(2, 'ping')])
    const response = await relay.gateway.fetch('/relic/mcp', {
      ...legacy(relay.token, 'ping'),
      body,
    })
    expect(response.status).toBe(400)
    expect(response.headers.get('mcp-session-id')).toBeNull()
    expect(await response.json()).toMatchObject({
      id: null,
      error: {
        code: -32600,
        message: 'initialize must not be part of a batch.',
        data: { code: 'invalid_request' },
      },
    })
    expect((await room.log()).log).toEqual([])
  })

  // req: cancel-mapped
  // req: cancel-overtakes
  it("maps a cancel to the upstream's id, and drops one for a request that does not run", async () => {
    const headers = await relay.open()
    const running = await relay.gateway.fetch(
      '/relic/mcp',
      legacy(relay.token, 'tools/call', { name: 'hang', arguments: {} }, headers, 'to cancel'),
    )
    const cancel = (requestId: string) =>
      relay.gateway.fetch(
        '/relic/mcp',
        legacy(
          relay.token,
          'notifications/cancelled',
          { requestId, reason: 'r' },
          headers,
          NOTIFICATION,
        ),
      )
    expect((await cancel('to cancel')).status).toBe(202)
    expect((await cancel('never sent')).status).toBe(202)
    await running.body?.cancel()
    const log = (await room.log()).log
    const called = JSON.parse(log.find((entry) => rpcMethod(entry) === 'tools/call')?.body ?? '{}')
    const cancels = log.filter((entry) => rpcMethod(entry) === 'notifications/cancelled')
    expect(cancels.map(({ body }) => JSON.parse(body).params)).toEqual([
      { requestId: called.id, reason: 'r' },
    ])
  })

  // req: client-response-relayed
  it("passes notifications and the client's responses on: 202", async () => {
    const headers = await relay.open()
    const note = legacy(relay.token, 'notifications/initialized', {}, headers, NOTIFICATION)
    expect((await relay.gateway.fetch('/relic/mcp', note)).status).toBe(202)
    const answer = '{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept"}}'
    const response = await relay.gateway.fetch('/relic/mcp', { ...note, body: answer })
    expect(response.status).toBe(202)
    expect((await room.log()).log.at(-1)?.body).toBe(answer)
  })

  it.each(['PUT', 'PATCH'])('answers %s with 405 and says what is served', async (method) => {
    const response = await relay.gateway.fetch('/relic/mcp', {
      method,
      headers: { authorization: `Bearer ${relay.token}`, accept: 'text/event-stream' },
    })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('GET, POST, DELETE')
  })

  it('refuses a protocol version that it does not know', async () => {
    const headers = { ...(await relay.open()), 'mcp-protocol-version': '2024-01-01' }
    const response = await relay.call(headers)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: -32022 } })
  })
})
