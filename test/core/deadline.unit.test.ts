import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type CallContext,
  createDeadline,
  leaveDeadline,
  takeDeadline,
} from '../../src/core/index.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('a deadline', () => {
  it('aborts when its time is up', () => {
    const deadline = createDeadline(1_000)
    vi.advanceTimersByTime(999)
    expect(deadline.signal().aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(deadline.signal().aborted).toBe(true)
    expect(deadline.isPassed()).toBe(true)
  })

  it('gives the whole time again when it begins anew, with one timer at a time', () => {
    const deadline = createDeadline(1_000)
    vi.advanceTimersByTime(600)
    deadline.restart(1_000)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(999)
    expect(deadline.signal().aborted).toBe(false)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(1)
    expect(deadline.isPassed()).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is moved nearer where less time is given', async () => {
    const deadline = createDeadline(30_000)
    const late = deadline.within(new Promise(() => undefined))
    deadline.restart(10)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(10)
    expect(deadline.isPassed()).toBe(true)
    expect(deadline.signal().aborted).toBe(true)
    expect(await late).toBeUndefined()
  })

  it('gives what the work comes to in time, and nothing once it passed', async () => {
    const deadline = createDeadline(10)
    expect(await deadline.within(Promise.resolve('done'))).toBe('done')
    await expect(deadline.within(Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    vi.advanceTimersByTime(10)
    expect(await deadline.within(new Promise(() => undefined))).toBeUndefined()
  })

  it('is taken once by what waits next in its context', () => {
    const deadline = createDeadline(1_000)
    const ctx = {} as CallContext
    leaveDeadline(ctx, deadline)
    expect(takeDeadline({ ...ctx })).toBeUndefined()
    expect(takeDeadline(ctx)).toBe(deadline)
    expect(takeDeadline(ctx)).toBeUndefined()
    deadline.end()
  })

  it('is taken by nobody once it passed while nobody waited under it', () => {
    const deadline = createDeadline(1_000)
    const ctx = {} as CallContext
    leaveDeadline(ctx, deadline)
    vi.advanceTimersByTime(1_000)
    expect(takeDeadline(ctx)).toBeUndefined()
    expect(takeDeadline(ctx)).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('never passes once it was ended', () => {
    const deadline = createDeadline(1_000)
    deadline.restart(1_000)
    deadline.end()
    deadline.end()
    vi.advanceTimersByTime(10_000)
    expect(deadline.signal().aborted).toBe(false)
  })

  it('aborts when the caller goes, which is no fault of time', () => {
    for (const isBrief of [false, true]) {
      const caller = new AbortController()
      const deadline = createDeadline(1_000, caller, isBrief)
      const signal = deadline.signal()
      expect(signal.aborted).toBe(false)
      caller.abort()
      expect(signal.aborted).toBe(true)
      expect(deadline.isPassed()).toBe(false)
      deadline.end()
      expect(createDeadline(1_000, caller, isBrief).signal().aborted).toBe(true)
    }
  })

  it('hears of the caller after its end, until it is released', () => {
    const caller = new AbortController()
    const [ended, released] = [1, 2].map(() => createDeadline(1_000, caller, true))
    const signals = [ended?.signal(), released?.signal()]
    ended?.end()
    released?.release()
    expect(vi.getTimerCount()).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    caller.abort()
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, false])
  })
})

describe('a deadline that hears of its caller', () => {
  let gone: AbortController
  let looks: number
  let caller: { readonly signal: AbortSignal }
  beforeEach(() => {
    gone = new AbortController()
    looks = 0
    caller = {
      get signal() {
        looks += 1
        return gone.signal
      },
    }
  })
  const never = new Promise<never>(() => undefined)
  const listeners = () => getEventListeners(gone.signal, 'abort')

  it('does not look at him while what he waits for may be over soon', async () => {
    const deadline = createDeadline(1_000, caller, true)
    deadline.hear()
    vi.advanceTimersByTime(49)
    expect(await deadline.within(Promise.resolve('done'))).toBe('done')
    deadline.release()
    vi.advanceTimersByTime(10_000)
    expect(looks).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    ['before he was looked for', 10],
    ['after', 60],
  ])('ends what is waited for when he left %s', async (_when, leavesAtMs) => {
    const deadline = createDeadline(1_000, caller, true)
    deadline.hear()
    const work = deadline.within(never)
    vi.advanceTimersByTime(leavesAtMs)
    gone.abort()
    vi.advanceTimersByTime(50)
    expect(await work).toBeUndefined()
    expect([deadline.hasLeft(), deadline.isPassed()]).toEqual([true, false])
    expect(await deadline.within(never)).toBeUndefined()
    deadline.release()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('looks for him at once where it ran for a while already', async () => {
    const deadline = createDeadline(1_000, caller, true)
    vi.advanceTimersByTime(60)
    expect(looks).toBe(0)
    gone.abort()
    deadline.hear()
    expect(await deadline.within(never)).toBeUndefined()
    deadline.release()
  })

  it('passes in its time, as ever, and leaves no listener', async () => {
    const deadline = createDeadline(1_000, caller, true)
    deadline.hear()
    const work = deadline.within(never)
    vi.advanceTimersByTime(999)
    expect(deadline.isPassed()).toBe(false)
    vi.advanceTimersByTime(1)
    expect(await work).toBeUndefined()
    expect([deadline.hasLeft(), deadline.isPassed()]).toEqual([false, true])
    expect(listeners()).toHaveLength(1)
    deadline.release()
    expect(listeners()).toHaveLength(0)
  })

  it('hears nobody where it was not asked to, or when it has ended', () => {
    const silent = createDeadline(1_000, caller, true)
    vi.advanceTimersByTime(500)
    silent.end()
    silent.hear()
    expect(looks).toBe(0)
  })
})
