import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { tellAll } from '../../../src/mcp/upstream/courtesy.ts'

describe('telling many upstreams something', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const never = () => new Promise<never>(() => undefined)

  it('tells every one of them, at most four at once', async () => {
    const told: number[] = []
    let running = 0
    let most = 0
    const all = Array.from({ length: 11 }, (_, index) => index)
    await tellAll(
      all,
      async (item) => {
        running += 1
        most = Math.max(most, running)
        await Promise.resolve()
        running -= 1
        told.push(item)
      },
      () => undefined,
    )
    expect(told).toEqual(all)
    expect(most).toBe(4)
  })

  it('waits 5 s for one that hangs, aborts it, and goes on with the others', async () => {
    const faults: unknown[] = []
    const aborted: number[] = []
    const told: number[] = []
    let isOver = false
    const work = tellAll(
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
      async (item, signal) => {
        signal.addEventListener('abort', () => aborted.push(item))
        if (item < 5) await never()
        told.push(item)
      },
      (thrown) => faults.push(thrown),
    ).then(() => {
      isOver = true
    })
    await vi.advanceTimersByTimeAsync(4_999)
    expect([aborted, told]).toEqual([[], []])
    await vi.advanceTimersByTimeAsync(1)
    expect(aborted).toEqual([0, 1, 2, 3])
    expect(told).toEqual([5, 6, 7, 8])
    expect(isOver).toBe(false)
    await vi.advanceTimersByTimeAsync(5_000)
    await work
    expect(faults).toHaveLength(5)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('tells of what one of them throws, and goes on', async () => {
    const faults: unknown[] = []
    const told: number[] = []
    await tellAll(
      [1, 2, 3],
      async (item) => {
        if (item === 1) throw new Error('no')
        told.push(item)
      },
      (thrown) => faults.push(thrown),
    )
    expect(told).toEqual([2, 3])
    expect(faults).toEqual([new Error('no')])
  })
})
