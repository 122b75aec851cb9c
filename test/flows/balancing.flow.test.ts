import { beforeAll, describe, expect, it } from 'vitest'
import type { ResilienceSettings } from '../../src/resilience/index.ts'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'

const PATH = '/pool/mcp'
const HOSTS = ['a', 'b', 'c'] as const
type Host = (typeof HOSTS)[number]

/** A server with three endpoints; which of them gets each call. */
describe('a server with several endpoints', () => {
  const upstream = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
  const called: Host[] = []
  let waitAt: (host: Host) => Promise<void> | undefined = () => undefined
  let gateway: TestGateway
  let token: string
  let now = Date.now()

  const fetcher = async (request: Request): Promise<Response> => {
    const host = new URL(request.url).hostname.slice(0, 1) as Host
    const isCall = request.headers.get('mcp-method') === 'tools/call'
    if (isCall) {
      called.push(host)
      await waitAt(host)
    }
    return upstream.fetcher(request)
  }

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { clock: { now: () => now }, fetcher } })
    token = await gateway.token()
    const endpoints = HOSTS.map((host, at) => ({
      url: `https://${host}.example/mcp`,
      weight: 3 - at,
    }))
    const body = { path: 'pool', name: 'Pool', endpoints }
    const made = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(made.status, await made.text()).toBe(201)
  })

  /** As an administrator does it; other isolates follow within 5 s. */
  async function configure(resilience: ResilienceSettings): Promise<void> {
    const init = rest(token, 'PATCH', { resilience })
    const changed = await gateway.fetch('/api/v1/servers/pool', init)
    expect(changed.status, await changed.text()).toBe(200)
    now += 6_000
    called.length = 0
  }

  async function call(headers: Record<string, string> = {}, as = token): Promise<Host | undefined> {
    const params = { name: 'echo', arguments: {} }
    const before = called.length
    const { response, settle } = await gateway.fetchWith(
      PATH,
      modern(as, 'tools/call', params, headers),
    )
    expect(response.status).toBe(200)
    await response.text()
    await settle()
    return called[before]
  }

  const callTimes = async (times: number): Promise<Record<string, number>> => {
    for (let count = 0; count < times; count += 1) await call()
    const counted: Record<string, number> = {}
    for (const host of called) counted[host] = (counted[host] ?? 0) + 1
    return counted
  }

  it('is called by weight, smoothly, when nothing is configured', async () => {
    await configure({})
    expect(await callTimes(12)).toEqual({ a: 6, b: 4, c: 2 })
  })

  it('follows a change of the algorithm, without a restart', async () => {
    await configure({ balancer: 'round-robin' })
    expect(await callTimes(9)).toEqual({ a: 3, b: 3, c: 3 })
    await configure({ balancer: 'weighted' })
    expect(await callTimes(6)).toEqual({ a: 3, b: 2, c: 1 })
  })

  it('is called by chance, by weight', async () => {
    await configure({ balancer: 'random' })
    const { a = 0, b = 0, c = 0 } = await callTimes(120)
    expect(a + b + c).toBe(120)
    expect(a).toBeGreaterThan(c)
    expect(Math.min(a, b, c)).toBeGreaterThan(0)
  })

  it('keeps the calls of a principal together, or those with the same header', async () => {
    await configure({ balancer: 'consistent-hash' })
    expect(Object.values(await callTimes(10))).toEqual([10])
    await configure({ balancer: 'consistent-hash', hashBy: { header: 'X-Room' } })
    const homes = new Map<string, Host | undefined>()
    for (let room = 0; room < 30; room += 1) {
      homes.set(`room-${room}`, await call({ 'x-room': `room-${room}` }))
    }
    expect(new Set(homes.values()).size).toBe(3)
    for (const [room, home] of homes) expect(await call({ 'x-room': room })).toBe(home)
    called.length = 0
    expect(Object.values(await callTimes(5))).toEqual([5])
  })

  it('gives a call to the endpoint with the fewest in flight', async () => {
    await configure({ balancer: 'least-connections' })
    let letGo: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    waitAt = () => held
    const calls = Array.from({ length: 12 }, () => call())
    await expect.poll(() => called.length).toBe(12)
    expect([...called].sort().join('')).toBe('aaaaaabbbbcc')
    letGo()
    waitAt = () => undefined
    await Promise.all(calls)
  })

  it('prefers the endpoint that answers fastest', async () => {
    await configure({ balancer: 'least-latency' })
    waitAt = async (host) => {
      now += host === 'b' ? 5 : 400
    }
    await callTimes(30)
    called.length = 0
    const { a = 0, b = 0, c = 0 } = await callTimes(60)
    waitAt = () => undefined
    // Every pair with it goes to it: two of three pairs, more by its weight.
    expect(b).toBeGreaterThan(a)
    expect(b).toBeGreaterThan(c)
  })

  it('refuses an algorithm that there is not', async () => {
    const resilience = { balancer: 'weighted-random' }
    const init = rest(token, 'PATCH', { resilience })
    expect((await gateway.fetch('/api/v1/servers/pool', init)).status).toBe(400)
  })
})
