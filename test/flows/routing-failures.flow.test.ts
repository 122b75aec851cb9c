import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest } from '../support/gateway.ts'
import { manyServers } from '../support/many-servers.ts'
import {
  type Answer,
  answerOf,
  NOTE,
  type RoutedCalls,
  routedCalls,
  search,
  WISH,
} from '../support/routed-calls.ts'

describe('a call that names a tool and no server', () => {
  let routed: RoutedCalls

  beforeAll(async () => {
    routed = await routedCalls()
  })

  beforeEach(() => routed.reset())

  it('moves when the breaker opens, and is never sent twice', async () => {
    routed.servers.failing.add('fast')
    for (let failure = 0; failure < 2; failure += 1) {
      expect(await answerOf(routed.call({}))).toMatchObject({ error: { code: -31012 } })
    }
    expect(routed.servers.calls()).toEqual({ fast: 2 })
    const { result } = await answerOf(routed.call({}))
    expect(result?._meta[NOTE]).toMatchObject({
      server: 'first',
      reason: 'availability',
      candidates: [{ server: 'first' }, { server: 'sick' }, { server: 'fast', breaker: 'open' }],
    })
    expect(routed.servers.calls()).toEqual({ first: 1 })
    routed.servers.failing.delete('fast')
    routed.clock.advance(60_000)
    await (await routed.call({ servers: ['fast'] })).text()
    await expect
      .poll(async () => (await answerOf(routed.call({}))).result?._meta[NOTE]?.server)
      .toBe('fast')
  })

  it('is tried elsewhere only while nothing was sent: a breaker that gives no probe', async () => {
    const state = () =>
      ({ kind: 'open', openedAt: routed.clock.now() - 3_600_000, openings: 1 }) as const
    const tripped = createTestGateway({
      seams: { fetcher: routed.servers.fetcher, clock: routed.clock },
      vars: { BREAKER_FAILURE_THRESHOLD: '1' },
      tenant: routed.gateway.tenant,
      bindings: {
        BREAKERS: {
          getByName: () => ({
            report: async () => ({ state: state() }),
            load: async () => ({ inFlight: 0 }),
            acquireProbe: async () => ({ state: state(), isGranted: false, retryAfterMs: 1_000 }),
          }),
        } as never,
      },
    })
    const _meta = { [WISH]: { servers: ['fast', 'sick'] } }
    const params = { name: 'search', arguments: {}, _meta }
    const ask = async (): Promise<Answer> => {
      const init = modern(routed.token, 'tools/call', params)
      const { response, settle } = await tripped.fetchWith('/mcp', init)
      const text = await response.text()
      await settle()
      return JSON.parse(text)
    }
    routed.servers.failing.add('fast')
    // It failed after it was sent: nobody else gets it.
    expect(await ask()).toMatchObject({ error: { code: -31012 } })
    expect(routed.servers.calls()).toEqual({ fast: 1 })
    expect((await ask()).result?._meta[NOTE]).toMatchObject({
      server: 'sick',
      reason: 'others_unavailable',
      candidates: [{ server: 'fast', breaker: 'half_open' }, { server: 'sick' }],
    })
    expect(routed.servers.calls()).toEqual({ sick: 1 })
    routed.servers.failing.delete('fast')
  })

  it('gets the 503 of the best where every breaker is open', async () => {
    routed.servers.failing.add('changed')
    for (let failure = 0; failure < 2; failure += 1) await (await routed.call({}, 'lonely')).text()
    routed.servers.calls()
    const response = await routed.call({}, 'lonely')
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(routed.servers.calls()).toEqual({})
  })

  it('finds a server that this isolate has not heard of yet, and forgets one that is off', async () => {
    const elsewhere = createTestGateway({
      seams: { fetcher: routed.servers.fetcher, clock: routed.clock },
      tenant: routed.gateway.tenant,
    })
    const there = async () =>
      answerOf(
        elsewhere.fetch(
          '/mcp',
          modern(routed.admin, 'tools/call', {
            name: 'late',
            arguments: {},
            _meta: { [WISH]: {} },
          }),
        ),
      )
    expect(await there()).toMatchObject({ error: { message: 'Unknown tool: late' } })
    const late = manyServers({ late: [{ ...search, name: 'late' }] })
    Object.assign(routed.servers.upstreams, late.upstreams)
    await late.register(routed.gateway, routed.admin)
    expect(await there()).toMatchObject({ result: { content: [{ text: 'ran late' }] } })
    await routed.gateway.fetch(
      '/api/v1/servers/late/toggle',
      rest(routed.admin, 'POST', { enabled: false }),
    )
    routed.clock.advance(5_000)
    expect(await there()).toMatchObject({ error: { message: 'Unknown tool: late' } })
  })

  it('costs one fetch and no D1 in steady state', async () => {
    const steady = createTestGateway({
      seams: { fetcher: routed.servers.fetcher, clock: routed.clock },
      tenant: routed.gateway.tenant,
    })
    const caller = await steady.token({ subject: 'steady', groups: ['searchers'] })
    const once = async () => {
      const params = { name: 'search', arguments: {}, _meta: { [WISH]: { servers: ['first'] } } }
      const { response, settle } = await steady.fetchWith(
        '/mcp',
        modern(caller, 'tools/call', params),
      )
      expect(await response.text()).toContain(NOTE)
      await settle()
    }
    for (let warmUp = 0; warmUp < 3; warmUp += 1) await once()
    Object.assign(steady.work, { fetches: 0, d1: 0, objects: 0 })
    for (let index = 0; index < 50; index += 1) await once()
    expect(steady.work).toMatchObject({ fetches: 50, d1: 0 })
    expect(steady.work.objects).toBeLessThanOrEqual(3)
  })
})
