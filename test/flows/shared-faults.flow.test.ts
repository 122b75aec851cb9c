import { beforeAll, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { stoppedClock } from '../support/stopped-clock.ts'

async function open(on: TestGateway, token: string): Promise<Record<string, string>> {
  const opened = await on.fetch('/mcp', legacy(token, 'initialize', hello()))
  await opened.text()
  return { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
}

const end = (token: string, headers: Record<string, string>) => ({
  method: 'DELETE',
  headers: { authorization: `Bearer ${token}`, ...headers },
})

describe('the breaker of a server that fails where several meet', () => {
  const room = scriptedRoom('shared-breaker')
  const clock = stoppedClock()
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { clock } })
    token = await gateway.token()
    await room.register(gateway, token, { endpoints: [{ url: room.url('dual') }] })
    // From here on it is known to serve the legacy handshake.
    expect(await (await firstCall()).text()).toContain('"result"')
  })

  /** The first call of a new session: it needs an upstream session. */
  async function firstCall(): Promise<Response> {
    const headers = await open(gateway, token)
    const echo = { name: 'scripted__echo', arguments: {} }
    return gateway.fetch('/mcp', legacy(token, 'tools/call', echo, headers))
  }

  it('lets the first session through when it may be tried again, and closes', async () => {
    await room.control({ failNext: 5 })
    const echo = { name: 'scripted__echo', arguments: {} }
    for (const _time of [1, 2, 3, 4, 5]) {
      await (await gateway.fetch('/mcp', modern(token, 'tools/call', echo))).text()
    }
    expect((await firstCall()).status).toBe(503)
    clock.advance(30_000)
    for (const _time of [1, 2]) {
      const answered = await firstCall()
      expect(answered.status).toBe(200)
      expect(await answered.text()).toContain('"result"')
    }
  })

  it('counts handshakes that fail, then leaves the server alone', async () => {
    await room.control({ failNext: 5 })
    await room.log()
    for (const _time of [1, 2, 3, 4, 5]) {
      const failed = await (await firstCall()).json()
      expect(failed).toMatchObject({ error: { data: { code: 'upstream_failed' } } })
    }
    const refused = await firstCall()
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({
      error: { data: { code: 'upstream_unavailable' } },
    })
    expect((await room.log()).log).toHaveLength(5)
  })
})

describe('a session of /mcp that ended in another isolate', () => {
  const room = scriptedRoom('shared-ends')
  const clock = stoppedClock()
  let here: TestGateway
  let there: TestGateway
  let token: string

  beforeAll(async () => {
    here = createTestGateway({ seams: { clock } })
    there = createTestGateway({ tenant: here.tenant, seams: { clock } })
    token = await here.token()
    await room.register(here, token, { endpoints: [{ url: room.url('dual') }] })
  })

  async function ask(headers: Record<string, string>, method = 'ping'): Promise<number> {
    const { response, settle } = await here.fetchWith('/mcp', legacy(token, method, {}, headers))
    await response.text()
    await settle()
    return response.status
  }

  // req: session-delete-404
  it('is 404 for whatever needs no server, after 5 s at the latest', async () => {
    const headers = await open(here, token)
    expect([await ask(headers), await ask(headers, 'tools/list')]).toEqual([200, 200])
    expect((await there.fetch('/mcp', end(token, headers))).status).toBe(204)
    clock.advance(5_000)
    expect([await ask(headers), await ask(headers, 'tools/list')]).toEqual([404, 404])
  })

  it('is 404 for the call after the one that had it confirmed, when it is in steady use', async () => {
    const headers = await open(here, token)
    expect((await there.fetch('/mcp', end(token, headers))).status).toBe(204)
    clock.advance(3_000)
    expect([await ask(headers), await ask(headers)]).toEqual([200, 404])
  })

  // req: session-delete-404
  it('cannot be ended again, there or here', async () => {
    const headers = await open(here, token)
    expect((await there.fetch('/mcp', end(token, headers))).status).toBe(204)
    for (const isolate of [there, here]) {
      expect((await isolate.fetch('/mcp', end(token, headers))).status).toBe(404)
    }
  })

  it('costs a session in steady use no object call before its answer', async () => {
    const headers = await open(here, token)
    await ask(headers)
    let hangs = 0
    const blocked = createTestGateway({
      tenant: here.tenant,
      seams: { clock },
      bindings: {
        SESSIONS: {
          getByName: () => ({
            isEnded() {
              hangs += 1
              return hangs === 1 ? Promise.resolve(false) : new Promise<never>(() => undefined)
            },
          }),
        } as never,
      },
    })
    const ping = () => blocked.fetch('/mcp', legacy(token, 'ping', {}, headers))
    expect((await ping()).status).toBe(200)
    clock.advance(4_000)
    expect([(await ping()).status, (await ping()).status]).toEqual([200, 200])
    expect(hangs).toBe(2)
  })
})

describe('a server without sessions behind /mcp', () => {
  const upstream = createFakeUpstream(['{"name":"wait","inputSchema":{"type":"object"}}'])
  let release: () => void = () => undefined
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    gateway = createTestGateway({
      seams: {
        async fetcher(request) {
          const response = await upstream.fetcher(request)
          if (upstream.seen.at(-1)?.body.includes('"tools/call"')) await held
          return response
        },
      },
    })
    token = await gateway.token()
    const body = { path: 'plain', name: 'Plain', endpoints: [{ url: 'https://plain.example/' }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(created.status).toBe(201)
  })

  // req: cancel-mapped
  it('is told of a cancel, by the id that it knows the request by', async () => {
    const headers = await open(gateway, token)
    const wait = { name: 'plain__wait', arguments: {} }
    const running = gateway.fetch('/mcp', legacy(token, 'tools/call', wait, headers, 'mine'))
    const sent = (method: string) =>
      upstream.seen
        .filter(({ body }) => body.includes(`"${method}"`))
        .map(({ body }) => JSON.parse(body))
    await expect.poll(() => sent('tools/call')).toHaveLength(1)
    const params = { requestId: 'mine', reason: 'enough' }
    const cancel = legacy(token, 'notifications/cancelled', params, headers, NOTIFICATION)
    expect((await gateway.fetch('/mcp', cancel)).status).toBe(202)
    const { id } = sent('tools/call')[0]
    expect(sent('notifications/cancelled')).toMatchObject([
      { params: { requestId: id, reason: 'enough' } },
    ])
    release()
    await (await running).text()
  })
})

describe('a server of a shared session that changes', () => {
  const room = scriptedRoom('shared-moves')
  const moved = scriptedRoom('shared-moved')
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    await room.register(gateway, token, { endpoints: [{ url: room.url('dual') }] })
  })

  const patch = (body: object) =>
    gateway.fetch('/api/v1/servers/scripted', rest(token, 'PATCH', body))
  const methods = async (of: typeof room) =>
    (await of.log()).log.map(({ body, httpMethod }) =>
      body === '' ? httpMethod : JSON.parse(body).method,
    )
  const call = (on: TestGateway, headers: Record<string, string>) => {
    const echo = { name: 'scripted__echo', arguments: {} }
    return on.fetch('/mcp', legacy(token, 'tools/call', echo, headers))
  }

  it('is spoken to where it moved, by every isolate, in one new upstream session', async () => {
    const there = createTestGateway({ tenant: gateway.tenant })
    const headers = await open(gateway, token)
    for (const isolate of [gateway, there]) {
      expect(await (await call(isolate, headers)).text()).toContain('"result"')
    }
    expect((await patch({ endpoints: [{ url: moved.url('dual') }] })).status).toBe(200)
    await moved.log()
    await room.log()
    const later = createTestGateway({ tenant: gateway.tenant })
    for (const isolate of [gateway, later]) {
      const answered = await call(isolate, headers)
      expect(await answered.text()).toContain('"result"')
      expect(answered.status).toBe(200)
    }
    const opened = ['initialize', 'notifications/initialized']
    expect(await methods(moved)).toEqual([...opened, 'tools/call', 'tools/call'])
    const atTheOld: string[] = []
    await expect
      .poll(async () => {
        atTheOld.push(...(await methods(room)))
        return atTheOld
      })
      .toEqual(['DELETE'])
    const { settle } = await gateway.fetchWith('/mcp', end(token, headers))
    await settle()
  })

  it('is told that a session ended though it is disabled', async () => {
    const headers = await open(gateway, token)
    expect(await (await call(gateway, headers)).text()).toContain('"result"')
    expect((await patch({ enabled: false })).status).toBe(200)
    await moved.log()
    const { response, settle } = await gateway.fetchWith('/mcp', end(token, headers))
    expect(response.status).toBe(204)
    await settle()
    expect(await methods(moved)).toEqual(['DELETE'])
  })
})
