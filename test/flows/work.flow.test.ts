import { beforeEach, describe, expect, inject, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { stoppedClock } from '../support/stopped-clock.ts'

async function register(
  gateway: TestGateway,
  token: string,
  path: string,
  url: string,
  more: object = {},
) {
  const response = await gateway.fetch(
    '/api/v1/servers',
    rest(token, 'POST', { path, name: path, endpoints: [{ url }], ...more }),
  )
  expect(response.status).toBe(201)
}

async function openSession(gateway: TestGateway, token: string, path: string) {
  const opened = await gateway.fetch(path, legacy(token, 'initialize', hello()))
  await opened.text()
  const headers = {
    'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
    'mcp-protocol-version': '2025-11-25',
  }
  await gateway.fetch(path, legacy(token, 'notifications/initialized', {}, headers, NOTIFICATION))
  return headers
}

/**
 * A call that a slow machine keeps open for so long is told of to its session's object, and told to be
 * over: that is no work of a call, and happens to no other.
 */
const OPEN_MS = 100

describe('the work of a steady call (DESIGN.md, Decision 4)', () => {
  const clock = stoppedClock()
  let gateway: TestGateway
  let token: string

  // A tenant for each: permits of a minute are not enough for all.
  beforeEach(async () => {
    gateway = createTestGateway({ seams: { clock } })
    token = await gateway.token({ subject: 'root' })
    await register(gateway, token, 'modern', inject('modernUrl'))
    await register(gateway, token, 'scripted', `${inject('scriptedOrigin')}/dual`)
  })

  async function count(call: () => RequestInit, path: string) {
    const { work } = gateway
    for (let warmUp = 0; warmUp < 3; warmUp += 1) {
      const { response, settle } = await gateway.fetchWith(path, call())
      await response.text()
      await settle()
    }
    Object.assign(work, { fetches: 0, d1: 0, objects: 0, told: 0 })
    let objectsBehind = 0
    let slow = 0
    for (let index = 0; index < 100; index += 1) {
      const objectsBefore = work.objects - work.told
      const startedAt = Date.now()
      const { response, settle } = await gateway.fetchWith(path, call())
      expect(response.status).toBe(200)
      expect(await response.text()).toContain('"result"')
      // What follows was started, if at all, behind the response; nothing of it was awaited.
      await settle()
      objectsBehind += work.objects - work.told - objectsBefore
      if (Date.now() - startedAt >= OPEN_MS) slow += 1
    }
    expect(work.told).toBeLessThanOrEqual(2 * slow)
    return { fetches: work.fetches, d1: work.d1, objectsBehind }
  }

  it('is one fetch, no D1 and at most 5 object calls behind 100 modern calls', async () => {
    const params = { name: 'echo', arguments: { message: 'hi' } }
    const work = await count(() => modern(token, 'tools/call', params), '/modern/mcp')
    expect(work).toMatchObject({ fetches: 100, d1: 0 })
    expect(work.objectsBehind).toBeLessThanOrEqual(5)
  })

  it('is one fetch, no D1 and at most 5 object calls behind 100 legacy calls', async () => {
    const headers = await openSession(gateway, token, '/scripted/mcp')
    const params = { name: 'echo', arguments: { message: 'hi' } }
    const work = await count(() => legacy(token, 'tools/call', params, headers), '/scripted/mcp')
    expect(work).toMatchObject({ fetches: 100, d1: 0 })
    expect(work.objectsBehind).toBeLessThanOrEqual(5)
  })

  it('is no more where a legacy session could move to another endpoint', async () => {
    const url = `${inject('scriptedOrigin')}/dual`
    const endpoints = ['work-one', 'work-two'].map((room) => ({ url: `${url}/${room}` }))
    await register(gateway, token, 'twins', url, { endpoints })
    const headers = await openSession(gateway, token, '/twins/mcp')
    const params = { name: 'echo', arguments: { message: 'hi' } }
    const work = await count(() => legacy(token, 'tools/call', params, headers), '/twins/mcp')
    expect(work).toMatchObject({ fetches: 100, d1: 0 })
    expect(work.objectsBehind).toBeLessThanOrEqual(5)
  })

  it.each(['least-connections', 'least-latency', 'consistent-hash'])(
    'is no more where three endpoints are balanced by %s',
    async (balancer) => {
      const url = inject('modernUrl')
      const endpoints = ['', '?two', '?three'].map((query) => ({ url: `${url}${query}` }))
      await register(gateway, token, balancer, url, { endpoints, resilience: { balancer } })
      const params = { name: 'echo', arguments: { message: 'hi' } }
      const work = await count(() => modern(token, 'tools/call', params), `/${balancer}/mcp`)
      expect(work).toMatchObject({ fetches: 100, d1: 0 })
      expect(work.objectsBehind).toBeLessThanOrEqual(5)
    },
  )

  it('is no more through a shared endpoint than through that of one server', async () => {
    const all = { methods: ['*'], tools: ['*'] }
    const callers = ['scripted', 'desk'].map((server) => ({ server, ...all }))
    const policy = { group_mappings: { callers: ['callers'] }, callers }
    await gateway.fetch('/api/v1/policy', rest(token, 'PUT', policy))
    const tools = [{ server: 'scripted', name: 'echo', as: 'say' }]
    const virtual = { path: 'desk', name: 'Desk', tools }
    const made = await gateway.fetch('/api/v1/virtual-servers', rest(token, 'POST', virtual))
    expect(made.status, await made.text()).toBe(201)
    for (const [path, name] of [
      ['/desk/mcp', 'say'],
      ['/mcp', 'scripted__echo'],
    ] as const) {
      const params = { name, arguments: { message: 'hi' } }
      // A caller of its own: each has its permits.
      const caller = await gateway.token({ subject: path, groups: ['callers'] })
      const session = await openSession(gateway, caller, path)
      for (const call of [
        () => modern(caller, 'tools/call', params),
        () => legacy(caller, 'tools/call', params, session),
      ]) {
        const work = await count(call, path)
        expect(work).toMatchObject({ fetches: 100, d1: 0 })
        expect(work.objectsBehind).toBeLessThanOrEqual(5)
      }
    }
  })

  it('waits for no object: each of those calls is made behind the response', async () => {
    const blocked = createTestGateway({
      seams: { clock },
      bindings: {
        LIMITERS: {
          getByName: () => ({ lease: () => hangingAfterFirst(), usage: async () => [] }),
        },
      },
    })
    let leases = 0
    function hangingAfterFirst() {
      leases += 1
      const now = clock.now()
      const grant = { granted: 60, grantedAt: now, retryAfterMs: 0, left: 500 }
      return leases === 1 ? Promise.resolve([grant, grant]) : new Promise<never>(() => undefined)
    }
    const blockedToken = await blocked.token()
    await register(blocked, blockedToken, 'modern', inject('modernUrl'))
    const params = { name: 'echo', arguments: { message: 'hi' } }
    for (let index = 0; index < 50; index += 1) {
      const response = await blocked.fetch(
        '/modern/mcp',
        modern(blockedToken, 'tools/call', params),
      )
      expect(response.status).toBe(200)
      await response.text()
    }
    expect(leases).toBeGreaterThan(1)
  })
})

describe('freshness (DESIGN.md, Decision 4)', () => {
  it('uses a snapshot for 3 s, confirms it behind the call until 5 s, and before use afterwards', async () => {
    const clock = stoppedClock()
    const gateway = createTestGateway({ seams: { clock } })
    const token = await gateway.token()
    await register(gateway, token, 'modern', inject('modernUrl'))
    const call = async () => {
      const params = { name: 'echo', arguments: { message: 'hi' } }
      const before = gateway.work.d1
      const { response, settle } = await gateway.fetchWith(
        '/modern/mcp',
        modern(token, 'tools/call', params),
      )
      await response.text()
      await settle()
      return gateway.work.d1 - before
    }
    await call()
    clock.advance(2_900)
    expect(await call()).toBe(0)
    clock.advance(1_000)
    expect(await call()).toBe(1)
    clock.advance(2_900)
    expect(await call()).toBe(0)
    clock.advance(3_000)
    expect(await call()).toBe(1)
  })
})
