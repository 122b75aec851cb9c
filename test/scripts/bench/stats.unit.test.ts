import { array, assert, double, integer, property, tuple } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { median, pairedDifference, pairedRatio, percentile } from '../../../scripts/bench/stats.ts'

const positive = double({ min: 0.001, max: 1e6, noNaN: true })
const pairs = array(tuple(positive, positive), { minLength: 2, maxLength: 40 })

describe('median and percentile', () => {
  it('takes the middle value, or the mean of the two in the middle', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])]).toEqual([2, 2.5, 7])
    expect(median([])).toBeNaN()
  })

  it('takes percentiles by nearest rank', () => {
    const sorted = [1, 2, 3, 4]
    expect([percentile(sorted, 0.5), percentile(sorted, 0.99), percentile([], 0.5)]).toEqual([
      2, 4, 0,
    ])
  })

  it('lies between the extremes and does not change its argument', async () => {
    await assert(
      property(array(positive, { minLength: 1 }), (values) => {
        const copy = [...values]
        const middle = median(values)
        expect(values).toEqual(copy)
        expect(middle).toBeGreaterThanOrEqual(Math.min(...values))
        expect(middle).toBeLessThanOrEqual(Math.max(...values))
      }),
    )
  })
})

describe('pairedRatio', () => {
  it('gives the textbook interval of the mean logarithm', () => {
    // Logs 0 and 2: mean 1, standard error 1, t(1) = 12.706.
    const {
      low,
      high,
      value,
      pairs: count,
    } = pairedRatio([
      [1, 1],
      [Math.E ** 2, 1],
    ])
    expect(Math.log(low)).toBeCloseTo(1 - 12.706, 3)
    expect(Math.log(high)).toBeCloseTo(1 + 12.706, 3)
    expect(value).toBeCloseTo((1 + Math.E ** 2) / 2, 6)
    expect(count).toBe(2)
  })

  it('has no width when all rounds agree, whatever the machine did meanwhile', async () => {
    await assert(
      property(array(positive, { minLength: 2, maxLength: 40 }), (speeds) => {
        const { value, low, high } = pairedRatio(speeds.map((speed) => [0.8 * speed, speed]))
        expect(value).toBeCloseTo(0.8, 9)
        expect(low).toBeCloseTo(0.8, 6)
        expect(high).toBeCloseTo(0.8, 6)
      }),
    )
  })

  it('turns over with its pairs', async () => {
    await assert(
      property(pairs, (measured) => {
        const one = pairedRatio(measured)
        const other = pairedRatio(measured.map(([value, partner]) => [partner, value]))
        expect(Math.log(other.low)).toBeCloseTo(-Math.log(one.high), 6)
        expect(Math.log(other.high)).toBeCloseTo(-Math.log(one.low), 6)
      }),
    )
  })

  it('does not depend on the order of the rounds or on the unit', async () => {
    await assert(
      property(pairs, positive, (measured, unit) => {
        const one = pairedRatio(measured)
        const scaled = measured.map(([value, partner]) => [value * unit, partner * unit] as const)
        const other = pairedRatio(scaled.toReversed())
        expect(Math.log(other.low)).toBeCloseTo(Math.log(one.low), 6)
        expect(Math.log(other.value)).toBeCloseTo(Math.log(one.value), 6)
      }),
    )
  })

  it('says nothing for certain after one round', () => {
    expect(pairedRatio([[1, 2]])).toEqual({
      value: 0.5,
      low: 0,
      high: Number.POSITIVE_INFINITY,
      pairs: 1,
    })
  })
})

describe('pairedDifference', () => {
  it('covers the true difference about as often as it says', () => {
    // Sums of uniform noise from a fixed generator: 95 % of 2,000 intervals, give or take.
    let state = 1
    const uniform = (): number => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    }
    const noise = (): number => Array.from({ length: 12 }, uniform).reduce((a, b) => a + b, -6)
    const trials = 2_000
    const covered = Array.from({ length: trials }, () =>
      pairedDifference(Array.from({ length: 7 }, () => [5 + noise(), 2 + noise()])),
    ).filter(({ low, high }) => low <= 3 && high >= 3).length
    expect(covered / trials).toBeGreaterThan(0.93)
    expect(covered / trials).toBeLessThan(0.97)
  })

  it('moves with what is added to every round', async () => {
    const small = array(tuple(integer({ min: -99, max: 99 }), integer({ min: -99, max: 99 })), {
      minLength: 2,
    })
    await assert(
      property(small, integer({ min: -99, max: 99 }), (measured, more) => {
        const one = pairedDifference(measured)
        const other = pairedDifference(measured.map(([value, partner]) => [value + more, partner]))
        expect(other.low).toBeCloseTo(one.low + more, 6)
        expect(other.value).toBeCloseTo(one.value + more, 6)
      }),
    )
  })
})
