import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, inject, it } from 'vitest'
import { AWAY, echo, expectServed, registered, switchable, typesOf } from '../support/away.ts'
import { createTestGateway, hello, legacy, modern, PUBLIC_URL, rest } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { stoppedClock } from '../support/stopped-clock.ts'

/** docs/operations.md, "When a part fails": a row, a test. Others are where they are named there. */

const die = (token: string) =>
  modern(token, 'tools/call', { name: 'die_before', arguments: {} }, {}, 'mine')
const WAYS = Object.entries(AWAY)
const room = scriptedRoom('degradation')

describe.each(WAYS)('while the limiter %s', (_how, away) => {
  it('calls are served, and counted by the isolate alone', async () => {
    const { state, bindings } = switchable('LIMITERS', away)
    const gateway = createTestGateway({ bindings, vars: { LIMIT_PRINCIPAL_PER_MINUTE: '3' } })
    const token = await registered(gateway, 'scripted', room.url('modern'))
    state.isAway = true
    const caller = await gateway.token({ subject: 'root' })
    const other = createTestGateway({
      tenant: gateway.tenant,
      bindings,
      vars: { LIMIT_PRINCIPAL_PER_MINUTE: '3' },
    })
    for (let count = 0; count < 3; count += 1) await expectServed(other, caller)
    expect(typesOf(other)).toContain('limiter_unavailable')
    const over = await other.fetch('/scripted/mcp', echo(token))
    expect(over.status).toBe(429)
    const usage = await gateway.fetch('/api/v1/limits/usage', rest(token, 'GET'))
    expect(usage.status).toBe(503)
    expect(await usage.json()).toMatchObject({ code: 'policy_unavailable' })
  })
})

describe.each(WAYS)('while the breaker object %s', (_how, away) => {
  it('the isolate decides alone: it opens, probes after its time, and closes', async () => {
    const { state, bindings } = switchable('BREAKERS', away)
    const clock = stoppedClock()
    const gateway = createTestGateway({ bindings, seams: { clock } })
    const token = await registered(gateway, 'scripted', room.url('modern'))
    state.isAway = true
    await expectServed(gateway, token)
    const behind: Promise<void>[] = []
    for (let count = 0; count < 5; count += 1) {
      const { response, settle } = await gateway.fetchWith('/scripted/mcp', die(token))
      await response.text()
      behind.push(settle())
    }
    await Promise.all(behind)
    expect((await gateway.fetch('/scripted/mcp', echo(token))).status).toBe(503)
    clock.advance(30_000)
    await expectServed(gateway, token)
    await expectServed(gateway, token)
    expect(typesOf(gateway)).toContain('breaker_unavailable')
    const phases = gateway.events.flatMap((event) =>
      event['type'] === 'breaker_changed' ? [event['phase']] : [],
    )
    expect(phases).toContain('open')
    expect(phases).toContain('half_open')
    const health = await gateway.fetch('/api/v1/servers/scripted/health', rest(token, 'GET'))
    expect(await health.json()).toMatchObject({ endpoints: [{ breaker: 'unknown' }] })
  })
})

describe.each(WAYS)(
  'while the breaker object, which knows the load of others, %s',
  (_how, away) => {
    it('calls are spread by what the isolate runs itself, and nothing waits for ever', async () => {
      const { state, bindings } = switchable('BREAKERS', away)
      const gateway = createTestGateway({ bindings })
      const token = await gateway.token()
      const endpoints = [{ url: room.url('modern') }, { url: `${room.url('modern')}?second` }]
      const server = { path: 'scripted', name: 'scripted', endpoints }
      const resilience = { balancer: 'least-connections', bulkhead: { maxConcurrent: 1 } }
      const body = { ...server, resilience }
      const made = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
      expect(made.status).toBe(201)
      state.isAway = true
      const { response, settle } = await gateway.fetchWith('/scripted/mcp', echo(token))
      expect(response.status).toBe(200)
      await response.text()
      // What runs behind the response ends too.
      await settle()
      expect(state.calls).toBeGreaterThan(0)
      expect(typesOf(gateway)).toContain('breaker_unavailable')
      await expectServed(gateway, token)
    })
  },
)

describe.each(WAYS)('while the session object %s', (_how, away) => {
  it('calls of a session at one server go on, and so do new sessions', async () => {
    const { state, bindings } = switchable('SESSIONS', away)
    const gateway = createTestGateway({ bindings })
    const token = await registered(gateway, 'dual', room.url('dual'))
    state.isAway = true
    const opened = await gateway.fetch('/dual/mcp', legacy(token, 'initialize', hello()))
    expect(opened.status).toBe(200)
    await opened.text()
    const headers = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const call = legacy(token, 'tools/call', { name: 'echo', arguments: {} }, headers, 'mine')
    const response = await gateway.fetch('/dual/mcp', call)
    expect(await response.json()).toMatchObject({ id: 'mine', result: {} })
  })

  it('the end of a session is an error, and not a silence', async () => {
    const { state, bindings } = switchable('SESSIONS', away)
    const gateway = createTestGateway({ bindings })
    const token = await registered(gateway, 'dual', room.url('dual'))
    const opened = await gateway.fetch('/dual/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    state.isAway = true
    const ended = await gateway.fetch('/dual/mcp', {
      method: 'DELETE',
      headers: {
        authorization: `Bearer ${token}`,
        'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      },
    })
    expect(ended.status).toBe(500)
  })
})

describe('while the catalogue object is gone', () => {
  it('what is stored is listed, and says that it may be old', async () => {
    const { state, bindings } = switchable('CATALOGS', AWAY['is gone'])
    const gateway = createTestGateway({ bindings })
    const token = await registered(gateway, 'scripted', room.url('modern'))
    state.isAway = true
    const listed = await gateway.fetch('/mcp', modern(token, 'tools/list', {}, {}, 'mine'))
    const { result } = (await listed.json()) as { result: { tools: { name: string }[] } }
    expect(result.tools.map(({ name }) => name)).toContain('scripted__echo')
  })
})

describe('while the bridge object is gone', () => {
  it('a server of the other era is one clean error, and one of the same era is served', async () => {
    const { state, bindings } = switchable('BRIDGES', AWAY['is gone'])
    const gateway = createTestGateway({ bindings })
    const token = await registered(gateway, 'old', inject('everythingUrl'))
    await registered(gateway, 'scripted', room.url('modern'))
    state.isAway = true
    const response = await gateway.fetch('/old/mcp', echo(token))
    expect(await response.json()).toMatchObject({ id: 'mine', error: {} })
    await expectServed(gateway, token)
  })
})

describe('while the object of a connection is gone', () => {
  it('a server of that transport is one clean error, and its breaker learns of it', async () => {
    const { state, bindings } = switchable('LINKS', AWAY['is gone'])
    const gateway = createTestGateway({ bindings })
    state.isAway = true
    const token = await gateway.token()
    const server = {
      ...{ path: 'linked', name: 'Linked', transport: 'sse' },
      endpoints: [{ url: 'http://127.0.0.1:9/sse' }],
    }
    const url = '/api/v1/servers?allowUnreachable=true'
    const created = await gateway.fetch(url, rest(token, 'POST', server))
    expect(created.status).toBe(201)
    const response = await gateway.fetch(
      '/linked/mcp',
      legacy(token, 'initialize', hello(), {}, 'mine'),
    )
    expect(await response.json()).toMatchObject({
      id: 'mine',
      error: { data: { code: 'upstream_failed' } },
    })
  })
})

describe('while the object of changes is gone', () => {
  it('nobody can listen, and calls are served', async () => {
    const { state, bindings } = switchable('EVENTS', AWAY['is gone'])
    const gateway = createTestGateway({ bindings })
    const token = await registered(gateway, 'scripted', room.url('modern'))
    state.isAway = true
    const notifications = { toolsListChanged: true }
    const listen = modern(token, 'subscriptions/listen', { notifications }, {}, 'mine')
    const response = await gateway.fetch('/scripted/mcp', listen)
    expect(await response.json()).toMatchObject({ id: 'mine', error: {} })
    await expectServed(gateway, token)
  })
})

describe('while the identity provider is gone', () => {
  it('known keys serve for an hour, unseen ones are refused, and then all of them', async () => {
    const issuer = 'https://idp.example'
    const keys = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')])
    const jwks = await Promise.all(
      keys.map(async ({ publicKey }, at) => ({
        ...(await exportJWK(publicKey)),
        ...{ kid: `key-${at}`, alg: 'ES256', use: 'sig' },
      })),
    )
    let isDown = false
    const clock = stoppedClock()
    const fetcher = async (request: Request): Promise<Response> => {
      if (!request.url.startsWith(issuer)) return fetch(request)
      if (isDown) throw new Error('Network connection lost.')
      return request.url.endsWith('/keys')
        ? Response.json({ keys: jwks.slice(0, 1) })
        : Response.json({ issuer, jwks_uri: `${issuer}/keys` })
    }
    const gateway = createTestGateway({
      vars: { TRUSTED_ISSUERS: JSON.stringify([{ preset: 'oidc', issuer }]) },
      seams: { fetcher, clock },
    })
    const sign = (at: number) =>
      new SignJWT({ groups: [] })
        .setProtectedHeader({ alg: 'ES256', kid: `key-${at}` })
        .setIssuer(issuer)
        .setSubject('ann')
        .setAudience(PUBLIC_URL)
        .setIssuedAt(Math.floor(clock.now() / 1000))
        .setExpirationTime(Math.floor(clock.now() / 1000) + 7_200)
        .sign(keys[at]?.privateKey as CryptoKey)
    const statusOf = async (token: string) => {
      const response = await gateway.fetch('/api/v1/me', rest(token, 'GET'))
      await response.text()
      return response.status
    }
    expect(await statusOf(await sign(0))).toBe(200)
    isDown = true
    clock.advance(30 * 60_000)
    expect(await statusOf(await sign(0))).toBe(200)
    expect(await statusOf(await sign(1))).toBe(401)
    clock.advance(31 * 60_000)
    expect(await statusOf(await sign(0))).toBe(401)
  })
})
