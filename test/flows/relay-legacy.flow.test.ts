import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import type { SessionStub } from '../../src/mcp/index.ts'
import {
  createTestGateway,
  hello,
  legacy,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

interface Logged {
  readonly httpMethod: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const origin = () => inject('scriptedOrigin')

async function upstreamLog(): Promise<Logged[]> {
  const response = await fetch(`${origin()}/log`)
  const { log } = (await response.json()) as { log: Logged[] }
  return log
}

const forgetSessions = (forgetStatus: 404 | 400) =>
  fetch(`${origin()}/control`, { method: 'POST', body: JSON.stringify({ forgetStatus }) })

const rpcMethod = ({ body }: Logged) => (body === '' ? '' : JSON.parse(body).method)

const echo = (message: string) => ({ name: 'echo', arguments: { message } })

describe('a legacy session', () => {
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    for (const [path, url] of [
      ['relic', `${origin()}/dual`],
      ['other', `${origin()}/dual`],
      ['modern-only', `${origin()}/modern`],
      ['everything', inject('everythingUrl')],
    ]) {
      const response = await gateway.fetch(
        '/api/v1/servers',
        rest(token, 'POST', { path, name: path, endpoints: [{ url }] }),
      )
      expect(response.status).toBe(201)
    }
  })

  beforeEach(async () => {
    await upstreamLog()
  })

  async function open(on: TestGateway = gateway, as = token, path = 'relic') {
    const response = await on.fetch(`/${path}/mcp`, legacy(as, 'initialize', hello()))
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      id: 1,
      result: { protocolVersion: '2025-11-25' },
    })
    const id = response.headers.get('mcp-session-id') ?? ''
    expect(id).toMatch(/^[\x21-\x7e]+$/)
    return { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' }
  }

  const call = (headers: Record<string, string>, message = 'hi', as = token, id: unknown = 1) =>
    gateway.fetch('/relic/mcp', legacy(as, 'tools/call', echo(message), headers, id))

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
    const headers = await open()
    expect(headers['mcp-session-id']).not.toContain('upstream-')
    await call(headers)
    const calls = (await upstreamLog()).filter((entry) => rpcMethod(entry) === 'tools/call')
    expect(calls.map((entry) => entry.headers['mcp-session-id'])).toEqual([
      expect.stringMatching(/^upstream-\d+$/),
    ])
    expect(calls[0]?.headers['mcp-protocol-version']).toBe('2025-11-25')
    expect(calls[0]?.headers['mcp-method']).toBeUndefined()
  })

  // req: client-capabilities-forwarded
  // req: upstream-ids-own
  it("forwards the client's own hello, byte for byte but for the id", async () => {
    const text =
      '{"jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"vendor":{"n":1.0}},"clientInfo":{"name":"c","version":"1"}},"id":"mine"}'
    await gateway.fetch('/relic/mcp', { ...legacy(token, 'x'), body: text })
    const [logged] = await upstreamLog()
    const id = JSON.parse(logged?.body ?? '{}').id
    expect(logged?.body).toBe(text.replace('"mine"', JSON.stringify(id)))
    expect(id).not.toBe('mine')
  })

  // req: session-missing-400
  it('is 400 without its id, where the server gives ids', async () => {
    const response = await call({ 'mcp-protocol-version': '2025-11-25' })
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
    const headers = await open()
    const response = await call({ ...headers, 'mcp-session-id': change(headers['mcp-session-id']) })
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject(notFound)
  })

  // req: session-bound-to-principal
  it('is 404 for another user, and stays alive for its own', async () => {
    const headers = await open()
    const foreign = await gateway.token({ subject: 'mallory' })
    const response = await call(headers, 'hi', foreign)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject(notFound)
    expect((await call(headers)).status).toBe(200)
  })

  it("is 404 on another server's route", async () => {
    const headers = await open()
    const response = await gateway.fetch(
      '/other/mcp',
      legacy(token, 'tools/call', echo('hi'), headers),
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
    const body = { path: 'relic', name: 'relic', endpoints: [{ url: `${origin()}/dual` }] }
    await aging.fetch('/api/v1/servers', rest(own, 'POST', body))
    const old = await open(aging, own)
    const ended = await open(aging, own)
    await upstreamLog()
    const { response, settle } = await aging.fetchWith('/relic/mcp', {
      method: 'DELETE',
      headers: { authorization: `Bearer ${own}`, ...ended },
    })
    await settle()
    expect(response.status).toBe(204)
    expect((await upstreamLog()).map(({ httpMethod }) => httpMethod)).toEqual(['DELETE'])
    const after = await aging.fetch('/relic/mcp', legacy(own, 'tools/call', echo('x'), ended))
    expect(after.status).toBe(404)
    now += 24 * 3_600_000
    const late = await aging.fetch('/relic/mcp', legacy(own, 'tools/call', echo('x'), old))
    expect(late.status).toBe(404)
    expect(await late.json()).toMatchObject(notFound)
  })

  // req: session-deleted-404
  it('that was ended on one isolate is 404 on another, also when the upstream answers 404', async () => {
    const headers = await open()
    const elsewhere = createTestGateway({ tenant: gateway.tenant })
    await gateway.fetch('/relic/mcp', {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}`, ...headers },
    })
    await forgetSessions(404)
    const response = await elsewhere.fetch(
      '/relic/mcp',
      legacy(token, 'tools/call', echo('x'), headers),
    )
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject(notFound)
  })

  it('goes on through a restart of the gateway, and after a token refresh', async () => {
    const headers = await open()
    const restarted = createTestGateway({ tenant: gateway.tenant })
    const fresh = await gateway.token()
    expect(fresh).not.toBe(token)
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
      const headers = await open()
      await forgetSessions(status)
      await upstreamLog()
      const answers = await Promise.all(
        ['a', 'b', 'c', 'd'].map((message) => call(headers, message, token, message)),
      )
      expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200])
      for (const [index, answer] of answers.entries()) {
        const message = ['a', 'b', 'c', 'd'][index]
        expect(await answer.json()).toMatchObject({
          id: message,
          result: { content: [{ text: JSON.stringify({ message }) }] },
        })
      }
      const log = await upstreamLog()
      const hellos = log.filter((entry) => rpcMethod(entry) === 'initialize')
      expect(hellos).toHaveLength(1)
      expect(JSON.parse(hellos[0]?.body ?? '{}').params).toMatchObject({
        capabilities: { elicitation: {} },
        clientInfo: { name: 'flow' },
      })
      const again = await call(headers, 'later')
      expect(again.status).toBe(200)
      expect((await upstreamLog()).map(rpcMethod)).toEqual(['tools/call'])
    },
  )

  it('is not ended more often than the limit allows', async () => {
    const limited = createTestGateway({ vars: { LIMIT_PRINCIPAL_PER_MINUTE: '2' } })
    const own = await limited.token()
    const body = { path: 'relic', name: 'relic', endpoints: [{ url: `${origin()}/dual` }] }
    await limited.fetch('/api/v1/servers', rest(own, 'POST', body))
    const headers = await open(limited, own)
    const response = await limited.fetch('/relic/mcp', {
      method: 'DELETE',
      headers: { authorization: `Bearer ${own}`, ...headers },
    })
    expect(response.status).toBe(429)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  it('reports one clean error when it cannot be opened again', async () => {
    const headers = await open()
    await forgetSessions(404)
    const closed = createTestGateway({
      tenant: gateway.tenant,
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
      legacy(token, 'tools/call', echo('x'), headers),
    )
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      id: 1,
      error: { code: -31012, message: 'The server is gone.', data: { code: 'upstream_failed' } },
    })
  })

  // req: equal-ids-apart
  it('keeps requests apart that carry the same id', async () => {
    const headers = await open()
    const [first, second] = await Promise.all([call(headers, 'one'), call(headers, 'two')])
    expect(await first.text()).toContain('one')
    expect(await second.text()).toContain('two')
    const ids = (await upstreamLog())
      .filter((entry) => rpcMethod(entry) === 'tools/call')
      .map(({ body }) => JSON.parse(body).id)
    expect(new Set(ids).size).toBe(2)
  })

  it('is not opened by a batch, which could not give its id away', async () => {
    const message = (id: number, method: string, params = {}) => ({
      ...{ jsonrpc: '2.0', id, method, params },
    })
    const body = JSON.stringify([message(1, 'initialize', hello('2025-03-26')), message(2, 'ping')])
    const response = await gateway.fetch('/relic/mcp', { ...legacy(token, 'ping'), body })
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
    expect(await upstreamLog()).toEqual([])
  })

  // req: cancel-mapped
  // req: cancel-overtakes
  it("maps a cancel to the upstream's id, and drops one for a request that does not run", async () => {
    const headers = await open()
    const running = await gateway.fetch(
      '/relic/mcp',
      legacy(token, 'tools/call', { name: 'hang', arguments: {} }, headers, 'to cancel'),
    )
    const cancel = (requestId: string) =>
      gateway.fetch(
        '/relic/mcp',
        legacy(token, 'notifications/cancelled', { requestId, reason: 'r' }, headers, NOTIFICATION),
      )
    expect((await cancel('to cancel')).status).toBe(202)
    expect((await cancel('never sent')).status).toBe(202)
    await running.body?.cancel()
    const log = await upstreamLog()
    const called = JSON.parse(log.find((entry) => rpcMethod(entry) === 'tools/call')?.body ?? '{}')
    const cancels = log.filter((entry) => rpcMethod(entry) === 'notifications/cancelled')
    expect(cancels.map(({ body }) => JSON.parse(body).params)).toEqual([
      { requestId: called.id, reason: 'r' },
    ])
  })

  // req: client-response-relayed
  it("passes notifications and the client's responses on: 202", async () => {
    const headers = await open()
    const note = legacy(token, 'notifications/initialized', {}, headers, NOTIFICATION)
    expect((await gateway.fetch('/relic/mcp', note)).status).toBe(202)
    const answer = '{"jsonrpc":"2.0","id":"server-1","result":{"action":"accept"}}'
    const response = await gateway.fetch('/relic/mcp', { ...note, body: answer })
    expect(response.status).toBe(202)
    expect((await upstreamLog()).at(-1)?.body).toBe(answer)
  })

  it.each(['PUT', 'PATCH'])('answers %s with 405 and says what is served', async (method) => {
    const response = await gateway.fetch('/relic/mcp', {
      method,
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('GET, POST, DELETE')
  })

  it('refuses a protocol version that it does not know', async () => {
    const headers = { ...(await open()), 'mcp-protocol-version': '2024-01-01' }
    const response = await call(headers)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: -32022 } })
  })
})
