import { describe, expect, it } from 'vitest'
import { ResilienceSettings } from '../../src/resilience/index.ts'

describe('the settings of a breaker', () => {
  it.each([
    [{ openMs: 1_000, maxOpenMs: 1_000 }, true],
    [{ openMs: 600_000 }, true],
    [{ maxOpenMs: 100 }, true],
    [{ openMs: 1_000, maxOpenMs: 999 }, false],
  ])('%o are sound: %s', (breaker, isSound) => {
    const { success, error } = ResilienceSettings.safeParse({ breaker })
    expect(success).toBe(isSound)
    if (!isSound) expect(error?.issues[0]?.path).toEqual(['breaker', 'maxOpenMs'])
  })
})
