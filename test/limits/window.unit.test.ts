import { describe, expect, it } from 'vitest'
import {
  isIdle,
  returnPermits,
  takePermits,
  usedPermits,
  type WindowState,
} from '../../src/limits/window.ts'

const rule = { limit: 10, window: 60_000 }
const T = 60_000 * 1_000

describe('the sliding window', () => {
  it('grants up to the limit at once, then says when the next permit is free', () => {
    const first = takePermits(undefined, rule, 8, T)
    expect(first).toMatchObject({ granted: 8, retryAfterMs: 0 })
    const second = takePermits(first.state, rule, 8, T)
    expect(second.granted).toBe(2)
    const third = takePermits(second.state, rule, 1, T)
    expect(third.granted).toBe(0)
    // 10 permits weigh 9 when a tenth of the next bucket is over.
    expect(third.retryAfterMs).toBeGreaterThanOrEqual(66_000)
    expect(third.retryAfterMs).toBeLessThan(66_010)
    expect(takePermits(third.state, rule, 1, T + third.retryAfterMs - 10).granted).toBe(0)
    expect(takePermits(third.state, rule, 1, T + third.retryAfterMs).granted).toBe(1)
  })

  it('lets permits come back one by one as the older bucket slides out', () => {
    const full = takePermits(undefined, rule, 10, T).state
    expect(takePermits(full, rule, 10, T + 90_000).granted).toBe(5)
    expect(takePermits(full, rule, 10, T + 120_000).granted).toBe(10)
    expect(takePermits(full, rule, 10, T + 10 * 60_000).granted).toBe(10)
  })

  it('says a wait that is right from anywhere, and never counts above the limit', () => {
    let state: WindowState | undefined
    let now = T
    let seed = 7
    const next = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    for (let step = 0; step < 3_000; step += 1) {
      now += next(9_000)
      const taken = takePermits(state, rule, 1 + next(4), now)
      state = taken.state
      expect(usedPermits(state, rule.window, now)).toBeLessThanOrEqual(rule.limit)
      if (taken.granted > 0) continue
      expect(takePermits(state, rule, 1, now + taken.retryAfterMs).granted).toBe(1)
    }
  })

  it('serves a steady rate just below the limit for ever', () => {
    let state: WindowState | undefined
    for (let call = 0; call < 100; call += 1) {
      const taken = takePermits(state, rule, 1, T + call * 7_500)
      expect(taken.granted).toBe(1)
      state = taken.state
    }
  })

  it('survives a clock that goes back and a limit of zero', () => {
    const full = takePermits(undefined, rule, 10, T + 60_000).state
    expect(takePermits(full, rule, 1, T).granted).toBe(0)
    const none = takePermits(undefined, { ...rule, limit: 0 }, 1, T)
    expect(none).toMatchObject({ granted: 0, retryAfterMs: 60_000 })
  })

  it('uncounts returned permits in the bucket that counted them', () => {
    const full = takePermits(undefined, rule, 10, T).state
    expect(returnPermits(full, 60_000, 4, T, T + 1)).toMatchObject({ current: 6 })
    const later = returnPermits(full, 60_000, 4, T, T + 60_000)
    expect(later).toMatchObject({ current: 0, previous: 6 })
    expect(returnPermits(later, 60_000, 4, T, T + 120_000)).toMatchObject({ previous: 0 })
    expect(returnPermits(full, 60_000, 99, T, T)).toMatchObject({ current: 0 })
  })

  it('is idle two windows after the last permit', () => {
    const { state } = takePermits(undefined, rule, 1, T)
    expect(isIdle(state, 60_000, T + 119_999)).toBe(false)
    expect(isIdle(state, 60_000, T + 120_000)).toBe(true)
  })
})
