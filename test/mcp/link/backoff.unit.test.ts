import { describe, expect, it } from 'vitest'
import { createBackoff } from '../../../src/mcp/link/backoff.ts'

function backoffWith(chance: number) {
  const time = { now: 1_000 }
  const backoff = createBackoff({ now: () => time.now }, { fraction: () => chance })
  return { time, backoff }
}

describe('when a server that failed is tried again', () => {
  it.each([
    [0, [125, 250, 500, 1_000]],
    [0.999_999, [250, 500, 1_000, 2_000]],
  ])('is later each time, by chance %s', (chance, waits) => {
    const { backoff } = backoffWith(chance)
    expect(backoff.waitMs()).toBe(0)
    for (const wait of waits) {
      backoff.failed()
      expect(Math.round(backoff.waitMs())).toBe(wait)
    }
  })

  it('is never later than 30 s', () => {
    const { backoff } = backoffWith(1)
    for (let n = 0; n < 2_000; n += 1) backoff.failed()
    expect(backoff.waitMs()).toBe(30_000)
  })

  it('is at once when the time has passed, or it was reached', () => {
    const { backoff, time } = backoffWith(1)
    backoff.failed()
    time.now += 250
    expect(backoff.waitMs()).toBe(0)
    backoff.failed()
    backoff.succeeded()
    expect(backoff.waitMs()).toBe(0)
    backoff.failed()
    expect(backoff.waitMs()).toBe(250)
  })
})
