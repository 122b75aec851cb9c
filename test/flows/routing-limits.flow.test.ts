import { beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { type ManyServers, manyServers, setProbed } from '../support/many-servers.ts'

const search = { name: 'search', description: 'Finds.', inputSchema: { type: 'object' } }
const WISH = 'dev.gatehouse/route'
const NOTE = 'dev.gatehouse/routing'

describe('the permits of a call that names a tool and no server', () => {
  let now = Date.now()
  let servers: ManyServers
  let gateway: TestGateway
  let admin: string

  /** Breakers that opened long ago and give no probe: they take no call, as only who asks knows. */
  const breakers = {
    getByName: () => {
      const state = () => ({ kind: 'open', openedAt: now - 3_600_000, openings: 1 }) as const
      return {
        report: async () => ({ state: state() }),
        load: async () => ({ inFlight: 0 }),
        acquireProbe: async () => ({ state: state(), isGranted: false, retryAfterMs: 1_000 }),
      }
    },
  }

  beforeEach(async () => {
    servers = manyServers({ one: [search], two: [search], three: [search] })
    gateway = createTestGateway({
      seams: { fetcher: servers.fetcher, clock: { now: () => now } },
      vars: { BREAKER_FAILURE_THRESHOLD: '1' },
      bindings: { BREAKERS: breakers as never },
    })
    admin = await gateway.token()
    await servers.register(gateway, admin, {}, () => {
      now += 1
    })
    for (const server of ['one', 'two', 'three']) {
      await setProbed(gateway.tenant, server, { health: 'healthy', latencyMs: 10 })
    }
  })

  const limit = async (rule: object) => {
    const body = { name: 'rule', window: 'month', ...rule }
    const made = await gateway.fetch('/api/v1/limits', rest(admin, 'POST', body))
    expect(made.status).toBe(201)
    now += 5_000
  }

  /** Who answered, or the status of the refusal, and what the headers tell. */
  const call = async (wish: object = {}) => {
    // What an isolate remembers of a probe that it was refused is over.
    now += 2_000
    const params = { name: 'search', arguments: {}, _meta: { [WISH]: wish } }
    const { response, settle } = await gateway.fetchWith(
      '/mcp',
      modern(admin, 'tools/call', params),
    )
    const answer = JSON.parse(await response.text())
    await settle()
    const by: unknown = answer.result?._meta[NOTE].server ?? response.status
    return { by, header: response.headers.get('ratelimit') }
  }
  const callers = async (times: number, wish?: object) => {
    const by: unknown[] = []
    for (let count = 0; count < times; count += 1) by.push((await call(wish)).by)
    return by
  }
  const trip = async (server: string) => {
    servers.failing.add(server)
    await call({ servers: [server] })
    servers.calls()
  }

  it('are one of a rule, however many servers took no call before the one that answered', async () => {
    await trip('one')
    await trip('two')
    await limit({ per: ['tool'], limit: 3 })
    expect(await callers(5)).toEqual(['three', 'three', 'three', 429, 429])
    expect(servers.calls()).toEqual({ three: 3 })
  })

  it('are handed back where nobody took the call', async () => {
    await trip('one')
    await trip('two')
    await limit({ per: ['tool'], limit: 3 })
    await limit({ name: 'each', per: ['server'], limit: 3 })
    expect(await callers(6, { servers: ['one', 'two'] })).toEqual(Array(6).fill(503))
    expect(await callers(4)).toEqual(['three', 'three', 'three', 429])
  })

  it('are of the servers that answered: one whose own rule is used up is passed over', async () => {
    await limit({ match: { servers: ['one'] }, per: ['tenant'], limit: 2 })
    expect(await callers(2)).toEqual(['one', 'one'])
    const passed = await call()
    expect(passed.by).toBe('two')
    expect(passed.header).toMatch(/^"principal";r=/)
    expect(await callers(2, { servers: ['one'] })).toEqual([429, 429])
  })

  it('end the search where every server has used up its own', async () => {
    await limit({ per: ['server'], limit: 1 })
    expect(await callers(3)).toEqual(['one', 'two', 'three'])
    const refused = await call()
    expect(refused).toEqual({ by: 429, header: expect.stringMatching(/^"rule";r=0;t=\d+$/) })
    expect(servers.calls()).toEqual({ one: 1, two: 1, three: 1 })
  })
})
