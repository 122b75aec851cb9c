import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SessionStub } from '../../src/mcp/index.ts'
import { createTestGateway, legacy } from '../support/gateway.ts'
import {
  echo,
  type LegacyRelay,
  legacyRelay,
  registerRelic,
  rpcMethod,
} from '../support/legacy-relay.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

describe('a legacy session', () => {
  const room = scriptedRoom('relay-legacy-sessions')
  let relay: LegacyRelay

  beforeAll(async () => {
    relay = await legacyRelay(room)
    const endpoints = [{ url: room.url('dual') }]
    await room.register(relay.gateway, relay.token, { path: 'other', endpoints })
  })

  beforeEach(async () => {
    await room.log()
  })

  const notFound = {
    jsonrpc: '2.0',
    id: 1,
    error: {
      code: -31005,
      message: 'The session is unknown, expired or was ended.',
      data: { code: 'session_not_found' },
    },
  }

  // req: hop-version-agrees
  it('seals the upstream session id, and speaks to the upstream with its own', async () => {
    const headers = await relay.open()
    expect(headers['mcp-session-id']).not.toContain('upstream-')
    await relay.call(headers)
    const calls = (await room.log()).log.filter((entry) => rpcMethod(entry) === 'tools/call')
    expect(calls.map((entry) => entry.headers['mcp-session-id'])).toEqual([
      expect.stringMatching(/^upstream-\d+$/),
    ])
    expect(calls[0]?.headers['mcp-protocol-version']).toBe('2025-11-25')
    expect(calls[0]?.headers['mcp-method']).toBeUndefined()
  })

  // req: session-missing-400
  it('is 400 without its id, where the server gives ids', async () => {
    const response = await relay.call({ 'mcp-protocol-version': '2025-11-25' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      id: 1,
      error: { code: -32600, data: { code: 'session_required' } },
    })
  })

  // req: session-unknown-404
  it.each([
    ['made up', () => 'made-up'],
    ['tampered with', (id: string) => `${id.slice(0, -2)}${id.endsWith('AA') ? 'BB' : 'AA'}`],
    ['empty', () => ''],
  ])('is 404 under an id that is %s', async (_what, change) => {
    const headers = await relay.open()
    const response = await relay.call({
      ...headers,
      'mcp-session-id': change(headers['mcp-session-id']),
    })
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject(notFound)
  })

  // req: session-bound-to-principal
  it('is 404 for another user, and stays alive for its own', async () => {
    const headers = await relay.open()
    const foreign = await relay.gateway.token({ subject: 'mallory' })
    const response = await relay.call(headers, 'hi', foreign)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject(notFound)
    expect((await relay.call(headers)).status).toBe(200)
  })

  it("is 404 on another server's route", async () => {
    const headers = await relay.open()
    const response = await relay.gateway.fetch(
      '/other/mcp',
      legacy(relay.token, 'tools/call', echo('hi'), headers),
    )
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject(notFound)
  })

  // req: session-expired-404
  // req: session-deleted-404
  it('is 404 after 24 hours, and after DELETE, which the upstream learns of', async () => {
    let now = Date.now()
    const aging = createTestGateway({ seams: { clock: { now: () => now } } })
    const own = await aging.token({ ttlSeconds: 10 * 86_400 })
    await registerRelic(room, aging, own)
    const old = await relay.open(aging, own)
    const ended = await relay.open(aging, own)
    await room.log()
    const { response, settle } = await aging.fetchWith('/relic/mcp', {
      method: 'DELETE',
      headers: { authorization: `Bearer ${own}`, ...ended },
    })
    await settle()
    expect(response.status).toBe(204)
    expect((await room.log()).log.map(({ httpMethod }) => httpMethod)).toEqual(['DELETE'])
    const after = await aging.fetch('/relic/mcp', legacy(own, 'tools/call', echo('x'), ended))
    expect(after.status).toBe(404)
    now += 24 * 3_600_000
    const late = await aging.fetch('/relic/mcp', legacy(own, 'tools/call', echo('x'), old))
    expect(late.status).toBe(404)
    expect(await late.json()).toMatchObject(notFound)
  })

  // req: session-deleted-404
  it('that was ended on one isolate is 404 on another, also when the upstream answers 404', async () => {
    const headers = await relay.open()
    const elsewhere = createTestGateway({ tenant: relay.gateway.tenant })
    await relay.gateway.fetch('/relic/mcp', {
      method: 'DELETE',
      headers: { authorization: `Bearer ${relay.token}`, ...headers },
    })
    await room.control({ forgetStatus: 404 })
    const response = await elsewhere.fetch(
      '/relic/mcp',
      legacy(relay.token, 'tools/call', echo('x'), headers),
    )
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject(notFound)
  })

  it('goes on through a restart of the gateway, and after a token refresh', async () => {
    const headers = await relay.open()
    const restarted = createTestGateway({ tenant: relay.gateway.tenant })
    const fresh = await relay.gateway.token()
    expect(fresh).not.toBe(relay.token)
    const response = await restarted.fetch(
      '/relic/mcp',
      legacy(fresh, 'tools/call', echo('still here'), headers),
    )
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('still here')
  })

  // req: session-reopened-once
  // req: session-reopened-for-all
  it.each([404, 400] as const)(
    'that the upstream forgot (HTTP %i) is opened again once, for all calls at once',
    async (status) => {
      const headers = await relay.open()
      await room.control({ forgetStatus: status })
      await room.log()
      const answers = await Promise.all(
        ['a', 'b', 'c', 'd'].map((message) => relay.call(headers, message, relay.token, message)),
      )
      expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200])
      for (const [index, answer] of answers.entries()) {
        const message = ['a', 'b', 'c', 'd'][index]
        expect(await answer.json()).toMatchObject({
          id: message,
          result: { content: [{ text: JSON.stringify({ message }) }] },
        })
      }
      const log = (await room.log()).log
      const hellos = log.filter((entry) => rpcMethod(entry) === 'initialize')
      expect(hellos).toHaveLength(1)
      expect(JSON.parse(hellos[0]?.body ?? '{}').params).toMatchObject({
        capabilities: { elicitation: {} },
        clientInfo: { name: 'flow' },
      })
      const again = await relay.call(headers, 'later')
      expect(again.status).toBe(200)
      expect((await room.log()).log.map(rpcMethod)).toEqual(['tools/call'])
    },
  )

  it('is not ended more often than the limit allows', async () => {
    const limited = createTestGateway({ vars: { LIMIT_PRINCIPAL_PER_MINUTE: '2' } })
    const own = await limited.token()
    await registerRelic(room, limited, own)
    const headers = await relay.open(limited, own)
    const response = await limited.fetch('/relic/mcp', {
      method: 'DELETE',
      headers: { authorization: `Bearer ${own}`, ...headers },
    })
    expect(response.status).toBe(429)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  it('reports one clean error when it cannot be opened again', async () => {
    const headers = await relay.open()
    await room.control({ forgetStatus: 404 })
    const closed = createTestGateway({
      tenant: relay.gateway.tenant,
      bindings: {
        SESSIONS: {
          getByName: () =>
            ({
              recover: async () => ({
                kind: 'failed',
                code: 'upstream_failed',
                message: 'The server is gone.',
                outcome: undefined,
              }),
            }) as Partial<SessionStub> as SessionStub,
        },
      },
    })
    const response = await closed.fetch(
      '/relic/mcp',
      legacy(relay.token, 'tools/call', echo('x'), headers),
    )
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      id: 1,
      error: { code: -31012, message: 'The server is gone.', data: { code: 'upstream_failed' } },
    })
  })
})
