import { describe, expect, it } from 'vitest'
import { attempt } from '../../src/resilience/index.ts'

function plan(results: readonly string[], part: { maxAttempts?: number; aborted?: boolean } = {}) {
  const pauses: number[] = []
  const runs: number[] = []
  const aborting = new AbortController()
  if (part.aborted) aborting.abort()
  const random = { fraction: () => 0.5, uuid: () => '', bytes: (n: number) => new Uint8Array(n) }
  return {
    pauses,
    runs,
    aborting,
    ctx: { random, caller: aborting },
    maxAttempts: part.maxAttempts ?? 3,
    run: async (count: number) => {
      runs.push(count)
      return results[count - 1] ?? 'none'
    },
    isRetryable: (result: string) => result === 'bad',
    baseDelayMs: 100,
    sleep: async (ms: number) => void pauses.push(ms),
  }
}

describe('attempt', () => {
  it('runs once when the first result is good', async () => {
    const one = plan(['good'])
    expect(await attempt(one)).toBe('good')
    expect(one.runs).toEqual([1])
  })

  it('runs again until a result is good, pausing longer each time with jitter', async () => {
    const three = plan(['bad', 'bad', 'good'])
    expect(await attempt(three)).toBe('good')
    expect(three.pauses).toEqual([50, 100])
  })

  it('gives the last result when attempts are used up', async () => {
    const bad = plan(['bad', 'bad', 'bad', 'good'])
    expect(await attempt(bad)).toBe('bad')
    expect(bad.runs).toEqual([1, 2, 3])
  })

  it('leaves the other side alone for as long as it asks, and gives up when that is long', async () => {
    const asked = plan(['bad', 'good'])
    expect(await attempt({ ...asked, askedPauseMs: () => 2_000 })).toBe('good')
    expect(asked.pauses).toEqual([2_000])
    const long = plan(['bad', 'good'])
    expect(await attempt({ ...long, askedPauseMs: () => 2_001 })).toBe('bad')
    expect(long.runs).toEqual([1])
  })

  it('does not run again when the pause outlasts the deadline', async () => {
    const late = plan(['bad', 'good'])
    expect(await attempt({ ...late, leftMs: () => 50 })).toBe('bad')
    const inTime = plan(['bad', 'good'])
    expect(await attempt({ ...inTime, leftMs: () => 51 })).toBe('good')
  })

  it('runs again for as long as the budget pays, and asks it last', async () => {
    let budget = 1
    const mayRetry = (): boolean => {
      budget -= 1
      return budget >= 0
    }
    const paid = plan(['bad', 'bad', 'good'])
    expect(await attempt({ ...paid, mayRetry })).toBe('bad')
    expect(paid.runs).toEqual([1, 2])
    const late = plan(['bad', 'good'])
    budget = 5
    await attempt({ ...late, mayRetry, leftMs: () => 0 })
    expect(budget).toBe(5)
  })

  it('runs once what may be attempted once', async () => {
    const once = plan(['bad', 'good'], { maxAttempts: 1 })
    expect(await attempt(once)).toBe('bad')
    expect(once.runs).toEqual([1])
  })

  it('stops when the caller has gone, before or during the pause', async () => {
    const gone = plan(['bad', 'good'], { aborted: true })
    expect(await attempt(gone)).toBe('bad')
    const going = plan(['bad', 'good'])
    const sleep = async (): Promise<void> => going.aborting.abort()
    expect(await attempt({ ...going, sleep })).toBe('bad')
    expect(going.runs).toEqual([1])
  })

  it('passes on what was thrown without trying again', async () => {
    const thrower = plan([])
    const run = (): Promise<string> => {
      thrower.runs.push(0)
      return Promise.reject(new Error('open'))
    }
    await expect(attempt({ ...thrower, run })).rejects.toThrow('open')
    expect(thrower.runs).toEqual([0])
  })
})
