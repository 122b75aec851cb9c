import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { EndpointId } from '../../src/core/index.ts'
import type { GatewayEvent } from '../../src/observability/index.ts'
import { createLoad } from '../../src/resilience/index.ts'
import { HALF_LIFE_MS, REPORT_MS } from '../../src/resilience/load.ts'
import {
  BATCH_TTL_MS,
  createLoadBatches,
  type LoadReport,
} from '../../src/resilience/load-batches.ts'
import { endpointOf, one } from './breakers-world.ts'

/** One object per endpoint behind any number of isolates. */
function world() {
  const objects = new Map<EndpointId, ReturnType<typeof createLoadBatches>>()
  const events: GatewayEvent[] = []
  const behind: Promise<unknown>[] = []
  const told: LoadReport[] = []
  const at = { isDown: false }
  const object = (endpoint: EndpointId) => {
    const batches = objects.get(endpoint) ?? createLoadBatches()
    objects.set(endpoint, batches)
    return {
      async load(report: LoadReport) {
        told.push(report)
        if (at.isDown) throw new Error('the object is away')
        return batches.report(report, Date.now())
      },
    }
  }
  const isolate = () => createLoad({ events: { emit: (event) => events.push(event) }, object })
  let ids = 0
  const ctx = {
    clock: { now: () => Date.now() },
    random: {
      fraction: () => 0,
      uuid: () => `isolate-${ids++}`,
      bytes: (length: number) => new Uint8Array(length),
    },
    requestId: 'request-1',
    waitUntil: (work: Promise<unknown>) => void behind.push(work),
  }
  /** What was put off by a timer stays put off. */
  const settle = () => vi.advanceTimersByTimeAsync(0)
  return { at, events, told, isolate, ctx, settle, behind }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
})
const now = (): number => Date.now()

describe('the load of an isolate', () => {
  it('counts its own calls exactly, each until it ends, once', () => {
    const { isolate, ctx } = world()
    const load = isolate()
    const ends = [load.begin(ctx, one), load.begin(ctx, one)]
    expect(load.inFlight(one, now())).toBe(2)
    ends[0]?.()
    ends[0]?.()
    expect(load.inFlight(one, now())).toBe(1)
    ends[1]?.()
    expect(load.inFlight(one, now())).toBe(0)
    expect(load.inFlight(endpointOf(2), now())).toBe(0)
  })

  it('tells nobody of endpoints that nobody asks about', async () => {
    const { isolate, ctx, told, behind } = world()
    const load = isolate()
    for (let call = 0; call < 500; call += 1) load.begin(ctx, one)
    expect(behind).toEqual([])
    expect(told).toEqual([])
  })

  it('hears of the calls of others with its first one, and tells of its own', async () => {
    const { isolate, ctx, settle } = world()
    const [first, second] = [isolate(), isolate()]
    first.inFlight(one, now())
    const ends = Array.from({ length: 10 }, () => first.begin(ctx, one))
    await vi.advanceTimersByTimeAsync(REPORT_MS)
    second.inFlight(one, now())
    second.begin(ctx, one)
    await settle()
    expect(second.inFlight(one, now())).toBe(11)
    for (const end of ends) end()
    await vi.advanceTimersByTimeAsync(2 * REPORT_MS)
    second.begin(ctx, one)
    second.begin(ctx, one)
    await vi.advanceTimersByTimeAsync(REPORT_MS)
    expect(second.inFlight(one, now())).toBe(3)
  })

  it('tells the last change too, when no call comes after it', async () => {
    const { isolate, ctx, told, settle } = world()
    const load = isolate()
    load.inFlight(one, now())
    const ends = Array.from({ length: 9 }, () => load.begin(ctx, one))
    await settle()
    for (const end of ends) end()
    await vi.advanceTimersByTimeAsync(REPORT_MS)
    expect(told.map(({ inFlight }) => inFlight)).toEqual([1, 0].slice(0, told.length))
    expect(told.at(-1)?.inFlight).toBe(0)
  })

  it('reports at most once a second, and in a steady state at most twice in 100 calls', async () => {
    const { isolate, ctx, told } = world()
    const load = isolate()
    for (let call = 0; call < 1_000; call += 1) {
      load.inFlight(one, now())
      const end = load.begin(ctx, one)
      await vi.advanceTimersByTimeAsync(100)
      end(100)
    }
    expect(told.length).toBeLessThanOrEqual(1 + 20)
    const before = told.length
    const seconds = 20
    for (let call = 0; call < seconds * 100; call += 1) {
      load.inFlight(one, now())
      // As many begin as end, in waves.
      for (let of = 0; of < (call % 9) * 3; of += 1) setTimeout(load.begin(ctx, one), 50)
      await vi.advanceTimersByTimeAsync(10)
    }
    expect(told.length - before).toBeLessThanOrEqual(seconds + 1)
  })

  it('tells of long calls again, as long as others begin or end beside them', async () => {
    const { isolate, ctx, settle, told } = world()
    const [first, second] = [isolate(), isolate()]
    first.inFlight(one, now())
    for (let call = 0; call < 100; call += 1) first.begin(ctx, one)
    await vi.advanceTimersByTimeAsync(REPORT_MS)
    const before = told.length
    for (let seconds = 0; seconds < 100; seconds += 1) {
      for (const load of [first, second]) {
        load.inFlight(one, now())
        const end = load.begin(ctx, one)
        await settle()
        end()
      }
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(second.inFlight(one, now())).toBeGreaterThanOrEqual(100)
    expect(told.length - before).toBeLessThanOrEqual(2 * 11)
  })

  it('forgets who runs nothing but silent long calls', async () => {
    const { isolate, ctx, settle } = world()
    const [silent, lively] = [isolate(), isolate()]
    silent.inFlight(one, now())
    for (let call = 0; call < 100; call += 1) silent.begin(ctx, one)
    await vi.advanceTimersByTimeAsync(REPORT_MS)
    const trickle = async (times: number) => {
      for (let call = 0; call < times; call += 1) {
        lively.inFlight(one, now())
        lively.begin(ctx, one)()
        await settle()
        vi.setSystemTime(now() + 1_000)
      }
    }
    await trickle(20)
    expect(lively.inFlight(one, now())).toBe(100)
    await trickle(40)
    expect(lively.inFlight(one, now())).toBe(0)
  })

  it('asks for newer numbers of the others, once a second', async () => {
    const { isolate, ctx, settle } = world()
    const [first, second] = [isolate(), isolate()]
    first.inFlight(one, now())
    const ends = Array.from({ length: 5 }, () => first.begin(ctx, one))
    await vi.advanceTimersByTimeAsync(REPORT_MS)
    await second.refresh(ctx, one)
    expect(second.inFlight(one, now())).toBe(5)
    for (const end of ends) end()
    expect(second.refresh(ctx, one)).toBeUndefined()
    await vi.advanceTimersByTimeAsync(REPORT_MS)
    await second.refresh(ctx, one)
    await settle()
    expect(second.inFlight(one, now())).toBe(0)
  })

  it('forgets what others said when they have said nothing for half a minute', async () => {
    const { isolate, ctx, settle } = world()
    const [dies, lives] = [isolate(), isolate()]
    dies.inFlight(one, now())
    Array.from({ length: 5 }, () => dies.begin(ctx, one))
    await vi.advanceTimersByTimeAsync(REPORT_MS)
    lives.inFlight(one, now())
    lives.begin(ctx, one)()
    await settle()
    expect(lives.inFlight(one, now())).toBe(5)
    vi.setSystemTime(now() + BATCH_TTL_MS)
    expect(lives.inFlight(one, now())).toBe(0)
    lives.begin(ctx, one)
    lives.begin(ctx, one)
    await settle()
    expect(lives.inFlight(one, now())).toBe(2)
  })

  it('counts alone while the object is away, and says so', async () => {
    const { at, isolate, ctx, events, settle } = world()
    at.isDown = true
    const load = isolate()
    load.inFlight(one, now())
    load.begin(ctx, one)
    await settle()
    expect(load.inFlight(one, now())).toBe(1)
    expect(events).toEqual([{ type: 'breaker_unavailable', requestId: 'request-1', endpoint: one }])
  })

  it('knows a mean latency in which the last half-life counts half, and which fades', () => {
    const { isolate, ctx } = world()
    const load = isolate()
    const measure = (ms: number) => load.begin(ctx, one)(ms)
    expect(load.latencyMs(one, now())).toBeUndefined()
    measure(100)
    expect(load.latencyMs(one, now())).toBe(100)
    vi.setSystemTime(now() + HALF_LIFE_MS)
    expect(load.latencyMs(one, now())).toBeCloseTo(50)
    measure(300)
    expect(load.latencyMs(one, now())).toBeCloseTo(200)
    for (let call = 0; call < 10_000; call += 1) measure(40)
    expect(load.latencyMs(one, now())).toBeCloseTo(40, 0)
  })

  it('goes by the latency that others see until it has seen one itself', async () => {
    const { isolate, ctx, settle } = world()
    const [first, second] = [isolate(), isolate()]
    first.latencyMs(one, now())
    first.begin(ctx, one)(80)
    await settle()
    vi.setSystemTime(now() + REPORT_MS)
    for (let call = 0; call < 50; call += 1) first.begin(ctx, one)()
    await settle()
    expect(second.latencyMs(one, now())).toBeUndefined()
    const end = second.begin(ctx, one)
    await settle()
    expect(second.latencyMs(one, now())).toBeGreaterThan(70)
    end(20)
    expect(second.latencyMs(one, now())).toBeCloseTo(20)
  })

  it('makes and marks nothing for who only looks at a latency', async () => {
    const { isolate, ctx, told, settle } = world()
    const load = isolate()
    load.begin(ctx, one)(80)
    const end = load.begin(ctx, one)
    expect(load.peekLatencyMs(one, now())).toBe(80)
    for (let call = 0; call < 100; call += 1) load.begin(ctx, one)(80)
    for (let index = 10; index < 2_100; index += 1) load.peekLatencyMs(endpointOf(index), now())
    await settle()
    expect(told).toEqual([])
    end()
    expect(load.peekLatencyMs(one, now())).toBe(80)
    expect(load.peekLatencyMs(endpointOf(10), now())).toBeUndefined()
  })

  it('remembers 2,000 endpoints, and never forgets a call in flight', () => {
    const { isolate, ctx } = world()
    const load = isolate()
    const end = load.begin(ctx, one)
    for (let index = 10; index < 2_100; index += 1) load.inFlight(endpointOf(index), now())
    expect(load.inFlight(one, now())).toBe(1)
    end()
    load.inFlight(endpointOf(3_000), now())
    expect(load.inFlight(one, now())).toBe(0)
  })

  it('keeps the endpoint that is called while every other one is busy', () => {
    const { isolate, ctx } = world()
    const load = isolate()
    for (let index = 0; index < 2_000; index += 1) load.begin(ctx, endpointOf(index + 10))
    const end = load.begin(ctx, one)
    expect(load.inFlight(one, now())).toBe(1)
    end()
    expect(load.inFlight(one, now())).toBe(0)
  })
})
