import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  afterCall,
  afterRetry,
  FLOOR_MS_PER_RETRY,
  FLOOR_RETRIES,
  MAX_SAVED_RETRIES,
  newBudget,
  type RetryBudget,
} from '../../src/resilience/retry-budget.ts'

const T = 1_000_000
/** How many retries it pays for at once. */
function affordable(budget: RetryBudget, percent: number, now: number): number {
  let left: RetryBudget | undefined = budget
  for (let count = 0; ; count += 1) {
    left = afterRetry(left, percent, now)
    if (left === undefined) return count
  }
}

describe('the retry budget', () => {
  it('lets a server retry a little whose calls are rare', () => {
    expect(affordable(newBudget(T), 20, T)).toBe(FLOOR_RETRIES)
  })

  it('gives the floor back with time, and no more than it', () => {
    let budget = newBudget(T)
    for (let count = 0; count < FLOOR_RETRIES; count += 1) {
      budget = afterRetry(budget, 20, T) ?? budget
    }
    expect(afterRetry(budget, 20, T + FLOOR_MS_PER_RETRY - 1)).toBeUndefined()
    expect(affordable(budget, 20, T + FLOOR_MS_PER_RETRY)).toBe(1)
    expect(affordable(budget, 20, T + 1_000 * FLOOR_MS_PER_RETRY)).toBe(FLOOR_RETRIES)
  })

  it('pays for nothing where nothing is wanted', () => {
    expect(afterRetry(newBudget(T), 0, T)).toBeUndefined()
  })

  const percents = fc.integer({ min: 1, max: 100 })
  const steps = fc.array(
    fc.record({ isCall: fc.boolean(), afterMs: fc.integer({ min: 0, max: 2_000 }) }),
    { maxLength: 500 },
  )

  it('never pays for more than its share of the calls and the floor', () => {
    fc.assert(
      fc.property(percents, steps, (percent, all) => {
        let budget = newBudget(T)
        let now = T
        let calls = 0
        let retries = 0
        for (const { isCall, afterMs } of all) {
          now += afterMs
          if (isCall) {
            calls += 1
            budget = { ...budget, credit: afterCall(budget.credit, percent) }
            continue
          }
          const left = afterRetry(budget, percent, now)
          if (!left) continue
          budget = left
          retries += 1
          const floor = FLOOR_RETRIES + (now - T) / FLOOR_MS_PER_RETRY
          expect(retries).toBeLessThanOrEqual((calls * percent) / 100 + floor)
        }
      }),
    )
  })

  it('never saves up more than its bound', () => {
    fc.assert(
      fc.property(percents, fc.integer({ min: 0, max: 50_000 }), (percent, calls) => {
        let { credit } = newBudget(T)
        for (let call = 0; call < calls; call += 1) credit = afterCall(credit, percent)
        const budget = { credit, filledAt: T }
        expect(affordable(budget, percent, T)).toBeLessThanOrEqual(MAX_SAVED_RETRIES)
      }),
      { numRuns: 20 },
    )
  })

  it('lets a retry be paid by its share of calls, once the floor is used up', () => {
    let budget: RetryBudget = { credit: 0, filledAt: T }
    for (let call = 0; call < 4; call += 1) {
      budget = { ...budget, credit: afterCall(budget.credit, 20) }
    }
    expect(afterRetry(budget, 20, T)).toBeUndefined()
    expect(afterRetry({ ...budget, credit: afterCall(budget.credit, 20) }, 20, T)).toBeDefined()
  })
})
