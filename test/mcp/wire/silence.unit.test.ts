import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createSilence } from '../../../src/mcp/wire/silence.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('silence on a stream', () => {
  it('is told after so much time, counted from the last piece', async () => {
    const silence = createSilence()
    let told = 0
    const listen = (ms: number) =>
      silence.after(ms).then(() => {
        told += 1
      })
    for (let piece = 0; piece < 20; piece += 1) {
      void listen(1_000)
      await vi.advanceTimersByTimeAsync(900)
      silence.rest()
    }
    expect(told).toBe(0)
    void listen(1_000)
    await vi.advanceTimersByTimeAsync(999)
    expect(told).toBe(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(told).toBe(1)
  })

  it('takes one timer, however many pieces there are, and another for a shorter wait', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout')
    const silence = createSilence()
    for (let piece = 0; piece < 100; piece += 1) {
      void silence.after(30_000)
      silence.rest()
    }
    expect(set).toHaveBeenCalledTimes(1)
    const short = silence.after(10)
    expect(set).toHaveBeenCalledTimes(2)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(10)
    expect(await short).toBe('silent')
    silence.end()
    expect(vi.getTimerCount()).toBe(0)
    set.mockRestore()
  })

  it('is not waited for while nothing is read', async () => {
    const silence = createSilence()
    void silence.after(1_000)
    silence.rest()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(vi.getTimerCount()).toBe(0)
    const told = silence.after(1_000)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await told).toBe('silent')
  })
})
