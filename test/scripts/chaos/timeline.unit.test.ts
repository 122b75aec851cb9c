import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allOrNone, after as later } from '../../../scripts/chaos/timeline.ts'
import { createCleanups } from '../../../scripts/workerd/cleanups.ts'

/** No test waits for it. */
const LATE_MS = 60_000

describe('parts of a run', () => {
  let cleanups = createCleanups()
  let ran: string[] = []
  const act = (name: string) => async () => void ran.push(name)

  beforeEach(() => {
    cleanups = createCleanups()
    ran = []
  })
  afterEach(() => cleanups.run())

  it('give the result of the first when all have ended', async () => {
    const result = await allOrNone(cleanups, (signal) => [
      Promise.resolve('warm'),
      later(1, act('restart'), signal),
    ])
    expect([result, ...ran]).toEqual(['warm', 'restart'])
  })

  it('leave no timer behind when one of them fails', async () => {
    const before = timers()
    const parts = allOrNone(cleanups, (signal) => [
      Promise.reject(new Error('gateway is away')),
      later(LATE_MS, act('restart'), signal),
      later(LATE_MS, undefined, signal),
    ])
    await expect(parts).rejects.toThrow('gateway is away')
    expect(timers()).toBe(before)
    expect(ran).toEqual([])
  })

  it('wait for what has begun before they fail', async () => {
    let restarted: () => void = () => {}
    const restart = new Promise<void>((resolve) => {
      restarted = resolve
    })
    let hasEnded = false
    const parts = allOrNone(cleanups, () => [Promise.reject(new Error('no token')), restart])
    const ended = parts.catch(() => {
      hasEnded = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(hasEnded).toBe(false)
    restarted()
    await ended
    expect(hasEnded).toBe(true)
  })

  it('end when the run is told to', async () => {
    const parts = allOrNone(cleanups, (signal) => [later(LATE_MS, act('restart'), signal)])
    const ended = expect(parts).rejects.toThrow('aborted')
    await cleanups.run()
    await ended
    expect(ran).toEqual([])
  })
})

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}
