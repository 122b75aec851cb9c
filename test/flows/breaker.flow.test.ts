import { beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { stoppedClock } from '../support/stopped-clock.ts'

const call = (token: string, name: string) =>
  modern(token, 'tools/call', { name, arguments: { message: 'hi' } }, {}, 'mine')

describe('the breaker', () => {
  const room = scriptedRoom('breaker')
  /** Of the object as well, which has the configuration of the deployment: the defaults. */
  const THRESHOLD = 5
  const OPEN_MS = 30_000
  const clock = stoppedClock()
  const seams = { clock }
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams })
    token = await gateway.token()
    await room.register(gateway, token)
    const other = { path: 'other', endpoints: [{ url: room.url('dual') }] }
    await room.register(gateway, token, other)
  })

  /** With what stands behind the response done, so that the object has been told. */
  async function send(name: string, on = gateway, path = 'scripted') {
    const before = on.work.fetches
    const { response, settle } = await on.fetchWith(`/${path}/mcp`, call(token, name))
    const text = await response.text()
    await settle()
    return { response, body: JSON.parse(text), fetches: on.work.fetches - before }
  }

  async function expectOpen(seconds: number, on = gateway) {
    const { response, body, fetches } = await send('echo', on)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe(String(seconds))
    expect(body).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31014,
        message: `The server "scripted" is failing; the gateway tries it again in ${seconds} s.`,
        data: {
          code: 'upstream_unavailable',
          fix: `Try again in ${seconds} s.`,
          requestId: response.headers.get('x-request-id'),
          retryAfterSeconds: seconds,
        },
      },
    })
    expect(fetches).toBe(0)
  }

  async function fail(times: number, tool = 'die_before') {
    for (let index = 0; index < times; index += 1) {
      const { response, body, fetches } = await send(tool)
      expect(response.status).toBe(200)
      expect(body).toMatchObject({ error: { data: { code: 'upstream_failed' } } })
      expect(fetches).toBe(1)
    }
  }

  it('stays closed while a failure is followed by an answer', async () => {
    await fail(THRESHOLD - 1)
    expect((await send('echo')).response.status).toBe(200)
    await fail(THRESHOLD - 1, 'die_at_json')
    expect((await send('echo')).response.status).toBe(200)
  })

  it('opens after failures in a row: 503 without a fetch, for this server alone', async () => {
    await fail(THRESHOLD)
    await expectOpen(OPEN_MS / 1000)
    clock.advance(10_500)
    await expectOpen(20)
    expect((await send('echo', gateway, 'other')).response.status).toBe(200)
  })

  it('is open in every isolate that asks', async () => {
    const second = createTestGateway({ tenant: gateway.tenant, seams })
    // Its own first failure is answered with what the others have seen.
    expect((await send('die_before', second)).response.status).toBe(200)
    await expectOpen(20, second)
  })

  it('is shown by the health of its server', async () => {
    const health = await gateway.fetch('/api/v1/servers/scripted/health', rest(token, 'GET'))
    expect(await health.json()).toMatchObject({ endpoints: [{ breaker: 'open' }] })
    const other = await gateway.fetch('/api/v1/servers/other/health', rest(token, 'GET'))
    expect(await other.json()).toMatchObject({ endpoints: [{ breaker: 'closed' }] })
  })

  it('lets one call through after its time: another failure opens it for twice as long', async () => {
    clock.advance(19_500)
    await fail(1)
    await expectOpen((2 * OPEN_MS) / 1000)
  })

  it('closes when that call is answered', async () => {
    clock.advance(2 * OPEN_MS)
    expect((await send('echo')).response.status).toBe(200)
    expect((await send('echo')).response.status).toBe(200)
    await fail(1)
    expect((await send('echo')).response.status).toBe(200)
  })

  it('has said each of its changes once', () => {
    const changes = gateway.events.filter(({ type }) => type === 'breaker_changed')
    const of = { tenant: gateway.tenant, server: 'scripted', endpoint: expect.any(String) }
    expect(changes).toMatchObject([
      { ...of, phase: 'open' },
      { ...of, phase: 'half_open' },
      { ...of, phase: 'open' },
      { ...of, phase: 'half_open' },
      { ...of, phase: 'closed' },
    ])
  })
})
