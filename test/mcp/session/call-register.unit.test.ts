import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type CallContext, ServerId } from '../../../src/core/index.ts'
import { createCallRegister, type Registered } from '../../../src/mcp/session/call-register.ts'
import { type RunningCalls, withChanges } from '../../../src/mcp/session/running-calls.ts'
import type { CallChanges } from '../../../src/mcp/session/session-state.ts'

const server = ServerId.parse('00000000-0000-4000-8000-000000000001')

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** An isolate's register, and objects that answer after `tookMs`. */
function setUp(tookMs = 0) {
  const sent: ({ readonly session: string } & CallChanges)[] = []
  const stored = new Map<string, RunningCalls>()
  const faults: unknown[] = []
  let isDown = false
  let underWay = 0
  let most = 0
  let inLead = 0
  const register = createCallRegister({
    clock: { now: () => Date.now() },
    object: (session) => ({
      async noteCalls(changes) {
        sent.push({ session, ...changes })
        underWay += 1
        most = Math.max(most, underWay)
        if (tookMs > 0) await new Promise((resolve) => setTimeout(resolve, tookMs))
        underWay -= 1
        if (isDown) throw new Error('overloaded')
        stored.set(session, withChanges(stored.get(session) ?? [], changes))
      },
    }),
  })
  /** A request of its own; `dies` takes with it what it would do later. */
  const request = (dies = false) => {
    const waitUntil = (work: Promise<unknown>) => {
      inLead += 1
      work.catch((thrown: unknown) => faults.push(thrown)).finally(() => (inLead -= 1))
      if (dies) vi.clearAllTimers()
    }
    return { waitUntil } as unknown as CallContext
  }
  let calls = 0
  const begin = (session = 's', ctx = request()): Registered => {
    calls += 1
    const call = { clientId: `${calls}`, server, upstreamId: `u${calls}`, since: Date.now() }
    return register.begin(ctx, session, call)
  }
  return {
    ...{ register, sent, faults, request, begin },
    idsOf: (session = 's') => (stored.get(session) ?? []).map(({ upstreamId }) => upstreamId),
    most: () => most,
    waitedFor: () => inLead,
    setDown: (value: boolean) => {
      isDown = value
    },
  }
}

describe('calls that are told of to the object of their session', () => {
  it('are told of together: 1,000 calls of a second each are few messages', async () => {
    const { begin, sent, idsOf, most } = setUp(20)
    const open: Registered[] = []
    for (let round = 0; round < 100; round += 1) {
      for (let each = 0; each < 10; each += 1) open.push(begin())
      await pass(10)
    }
    expect(sent.length).toBeLessThanOrEqual(22)
    for (const one of open) one.withdraw()
    await pass(2_000)
    expect(idsOf()).toEqual([])
    expect(sent.length).toBeLessThanOrEqual(32)
    expect(most()).toBe(1)
  })

  it('take one timer, which ends when nothing is left', async () => {
    const { begin, sent, waitedFor } = setUp()
    const open = Array.from({ length: 100 }, (_, at) => begin(`s${at}`))
    expect(vi.getTimerCount()).toBe(1)
    expect(waitedFor()).toBe(1)
    for (const one of open) one.withdraw()
    await pass(50)
    expect(vi.getTimerCount()).toBe(0)
    expect(sent).toEqual([])
  })

  it('are told of at 100 to 150 ms, however many came before', async () => {
    const { begin, idsOf } = setUp()
    begin()
    await pass(30)
    begin()
    await pass(70)
    expect(idsOf()).toEqual(['u1'])
    await pass(50)
    expect(idsOf()).toEqual(['u2', 'u1'])
  })

  it('are never told of when they end while another message is under way', async () => {
    const { begin, sent } = setUp(1_000)
    begin()
    await pass(100)
    const second = begin()
    await pass(500)
    second.withdraw()
    await pass(2_000)
    expect(sent).toHaveLength(1)
  })

  it('are forgotten at once where nothing was told lately', async () => {
    const { begin, idsOf } = setUp()
    const { withdraw } = begin()
    await pass(1_000)
    withdraw()
    await pass(0)
    expect(idsOf()).toEqual([])
  })

  it('are told of at once when they are suspended, or as soon as the object has answered', async () => {
    const { begin, sent } = setUp(30)
    const first = begin()
    const second = begin()
    first.suspend()
    expect(sent).toHaveLength(1)
    second.suspend()
    expect(sent).toHaveLength(1)
    await pass(30)
    expect(sent.map(({ running }) => running)).toMatchObject([
      [{ upstreamId: 'u1', isSuspended: true }],
      [{ upstreamId: 'u2', isSuspended: true }],
    ])
  })

  it('go in messages of at most 200', async () => {
    const { begin, sent, idsOf } = setUp()
    for (let at = 0; at < 450; at += 1) begin()
    await pass(300)
    expect(sent.map(({ running }) => running.length)).toEqual([1, 200, 200, 49])
    expect(idsOf()).toHaveLength(450)
  })

  it('of many sessions ask 16 objects at once, each in its turn', async () => {
    const { begin, most, idsOf } = setUp(40)
    for (let at = 0; at < 100; at += 1) begin(`s${at}`)
    await pass(100 + 7 * 50 + 40)
    expect(most()).toBe(16)
    for (let at = 0; at < 100; at += 1) expect(idsOf(`s${at}`)).toHaveLength(1)
  })

  it('are told of once more when the object failed, and then no more', async () => {
    const { begin, sent, faults, setDown, idsOf } = setUp()
    setDown(true)
    const { withdraw } = begin()
    await pass(1_000)
    expect(sent).toHaveLength(2)
    expect(faults).toHaveLength(2)
    setDown(false)
    withdraw()
    await pass(50)
    expect(sent.at(-1)).toMatchObject({ over: ['u1'] })
    expect(idsOf()).toEqual([])
  })

  it('are known as left until the object knows it', async () => {
    const { begin, register } = setUp(100)
    const [first, second] = [begin(), begin()]
    await pass(1_000)
    expect(register.left('s')).toEqual([])
    first.withdraw()
    second.withdraw()
    expect(register.left('s').toSorted()).toEqual(['u1', 'u2'])
    expect(register.left('another')).toEqual([])
    await pass(1_000)
    expect(register.left('s')).toEqual([])
  })

  it('are told of by the next request when the one that looked was killed', async () => {
    const { begin, idsOf, request } = setUp()
    begin('s', request(true))
    await pass(549)
    expect(idsOf()).toEqual([])
    await pass(1)
    begin()
    await pass(100)
    expect(idsOf()).toEqual(['u2', 'u1'])
  })

  it('are told of by the next request also when the clock went back meanwhile', async () => {
    const { begin, idsOf, request } = setUp()
    begin('s', request(true))
    vi.setSystemTime(Date.now() - 3_600_000)
    begin()
    await pass(100)
    expect(idsOf()).toEqual(['u2', 'u1'])
  })

  it('are looked after by a request for a second, then by the next that comes', async () => {
    const { begin, waitedFor } = setUp()
    for (let at = 0; at < 40; at += 1) {
      const { withdraw } = begin()
      await pass(40)
      begin()
      withdraw()
      expect(waitedFor()).toBeLessThanOrEqual(2)
    }
    await pass(1_000)
    expect(waitedFor()).toBe(0)
  })
})
