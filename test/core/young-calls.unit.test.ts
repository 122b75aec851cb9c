import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createYoungCalls } from '../../src/core/index.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** What calls do, each in a request of its own. */
function setUp() {
  const calls = createYoungCalls()
  const keptUntil: number[] = []
  const toldAt = new Map<string, number[]>()
  return {
    toldAt,
    /** When requests that were kept behind their answers were let go, in ms. */
    keptUntil,
    begin(name: string): () => void {
      const kept = {
        waitUntil: (work: Promise<unknown>) => void work.then(() => keptUntil.push(Date.now())),
      }
      const youth = calls.of(kept)
      const told = (): void => {
        toldAt.set(name, [...(toldAt.get(name) ?? []), Date.now()])
      }
      youth.add(told)
      return () => youth.forget(told)
    },
  }
}

describe('young calls', () => {
  it('are told once, when 50 to 100 ms have passed, unless they are forgotten', async () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 120 }),
      /** Undefined for a call that stays. */
      livesMs: fc.option(fc.integer({ min: 0, max: 120 }), { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const { begin, toldAt } = setUp()
        const begun: { name: string; at: number; endsAt: number }[] = []
        for (const { waitMs, livesMs } of steps) {
          await pass(waitMs)
          const name = `c${begun.length}`
          const end = begin(name)
          if (livesMs !== undefined) setTimeout(end, livesMs)
          const at = Date.now()
          begun.push({ name, at, endsAt: at + (livesMs ?? Number.POSITIVE_INFINITY) })
        }
        await pass(1_000)
        for (const { name, at, endsAt } of begun) {
          const times = toldAt.get(name) ?? []
          expect(times.length).toBeLessThanOrEqual(1)
          const [told] = times
          if (told === undefined) expect(endsAt).toBeLessThanOrEqual(at + 100)
          else {
            expect(told).toBeGreaterThanOrEqual(at + 50)
            expect(told).toBeLessThanOrEqual(Math.min(endsAt, at + 100))
          }
        }
        expect(vi.getTimerCount()).toBe(0)
      }),
    )
  })

  it('take one timer, of one request, however many they are', async () => {
    const { begin, keptUntil } = setUp()
    const ends = Array.from({ length: 1_000 }, (_, at) => begin(`c${at}`))
    expect(vi.getTimerCount()).toBe(1)
    for (const end of ends) end()
    await pass(50)
    expect(vi.getTimerCount()).toBe(0)
    expect(keptUntil).toHaveLength(1)
  })

  it('keep no request for longer than a second or so where others come', async () => {
    const { begin, keptUntil } = setUp()
    const from = Date.now()
    for (let at = 0; at < 100; at += 1) {
      begin(`c${at}`)
      await pass(30)
    }
    await pass(200)
    const leads = keptUntil.map((until, at) => until - (keptUntil[at - 1] ?? from))
    expect(leads.length).toBeGreaterThanOrEqual(3)
    expect(Math.max(...leads)).toBeLessThanOrEqual(1_150)
  })

  it('are told by who comes next where the request that looked was killed', async () => {
    const { begin, toldAt } = setUp()
    begin('first')
    begin('second')
    vi.clearAllTimers()
    await pass(400)
    begin('too soon to know')
    await pass(200)
    expect(toldAt.size).toBe(0)
    begin('later')
    await pass(100)
    expect([...toldAt.keys()].sort()).toEqual(['first', 'later', 'second', 'too soon to know'])
  })
})
