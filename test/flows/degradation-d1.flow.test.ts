import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { echo, expectServed, registered, typesOf } from '../support/away.ts'
import { createTestGateway, rest } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { stoppedClock } from '../support/stopped-clock.ts'

/** docs/operations.md, "When a part fails": a row, a test. Others are where they are named there. */

const room = scriptedRoom('degradation-d1')

describe('while D1 hangs', () => {
  it('the last policy serves, what was never read is 503, and health says so', async () => {
    let hangs = false
    const stall = (): Promise<never> => new Promise(() => undefined)
    const db = new Proxy(env.DB, {
      get(target, member) {
        const value: unknown = Reflect.get(target, member)
        if (typeof value !== 'function') return value
        if (hangs && member === 'batch') return stall
        if (!hangs || member !== 'prepare') return value.bind(target)
        const statement = {
          bind: () => statement,
          all: stall,
          run: stall,
          raw: stall,
          first: stall,
        }
        return () => statement
      },
    })
    const clock = stoppedClock()
    const gateway = createTestGateway({ bindings: { DB: db }, seams: { clock } })
    const token = await registered(gateway, 'scripted', room.url('modern'))
    await expectServed(gateway, token)
    hangs = true
    clock.advance(10_000)
    const cold = createTestGateway({ tenant: gateway.tenant, bindings: { DB: db } })
    const [, refused, health] = await Promise.all([
      expectServed(gateway, token),
      cold.fetch('/scripted/mcp', echo(token)),
      cold.fetch('/health'),
    ])
    expect(typesOf(gateway)).toContain('stale_policy')
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({ error: { data: { code: 'policy_unavailable' } } })
    expect(health.status).toBe(503)
  })
})

describe('a D1 that throws', () => {
  /** The real one, until it is switched off. */
  function switchableDb() {
    const state = { isDown: false }
    const db = new Proxy(env.DB, {
      get(target, member) {
        if (state.isDown) throw new Error('D1 is down')
        const value = Reflect.get(target, member)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    return { state, db }
  }

  async function expectUnavailable(response: Response) {
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31013,
        message: 'The registry cannot be read at the moment.',
        data: {
          code: 'policy_unavailable',
          fix: 'Try again in a few seconds.',
          requestId: response.headers.get('x-request-id'),
        },
      },
    })
  }

  it('is 503 where nothing is known yet, on MCP and on REST, and says so in health', async () => {
    const { state, db } = switchableDb()
    const gateway = createTestGateway({ bindings: { DB: db } })
    const token = await gateway.token()
    await room.register(gateway, token)
    const cold = createTestGateway({ tenant: gateway.tenant, bindings: { DB: db } })
    state.isDown = true
    await expectUnavailable(await cold.fetch('/scripted/mcp', echo(token)))
    expect(cold.work.fetches).toBe(0)
    expect(cold.events.at(-1)).toMatchObject({ type: 'request', outcome: 'policy_unavailable' })
    const management = await cold.fetch('/api/v1/servers', rest(token, 'GET'))
    expect(management.status).toBe(503)
    expect(await management.json()).toMatchObject({ code: 'policy_unavailable', status: 503 })
    const health = await cold.fetch('/health')
    expect(health.status).toBe(503)
    expect(await health.json()).toEqual({ status: 'failing', d1: 'failing' })
    state.isDown = false
    const next = await cold.fetch('/scripted/mcp', echo(token))
    expect(next.status).toBe(200)
    await next.text()
  })

  it('leaves the last policy in force for a while, saying so, and then fails closed', async () => {
    const { state, db } = switchableDb()
    const clock = stoppedClock()
    const gateway = createTestGateway({
      vars: { POLICY_MAX_STALE_MS: '60000' },
      seams: { clock },
      bindings: { DB: db },
    })
    const token = await gateway.token()
    await room.register(gateway, token)
    await (await gateway.fetch('/scripted/mcp', echo(token))).text()
    const staleEvents = () => gateway.events.filter(({ type }) => type === 'stale_policy')

    state.isDown = true
    clock.advance(30_000)
    const stale = await gateway.fetch('/scripted/mcp', echo(token))
    expect(stale.status).toBe(200)
    await stale.text()
    expect(staleEvents()).toMatchObject([{ tenant: gateway.tenant, ageMs: 30_000 }])
    // A server that this isolate never asked for cannot be known to be allowed.
    await expectUnavailable(await gateway.fetch('/nonesuch/mcp', echo(token)))

    clock.advance(29_999)
    const last = await gateway.fetch('/scripted/mcp', echo(token))
    expect(last.status).toBe(200)
    await last.text()
    expect(staleEvents().at(-1)).toMatchObject({ ageMs: 59_999 })

    clock.advance(1)
    await expectUnavailable(await gateway.fetch('/scripted/mcp', echo(token)))
    state.isDown = false
    const again = await gateway.fetch('/scripted/mcp', echo(token))
    expect(again.status).toBe(200)
    await again.text()
  })
})
