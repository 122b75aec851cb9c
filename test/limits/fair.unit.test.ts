import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fairLevel } from '../../src/limits/fair.ts'

const demands = fc.array(
  fc.record({
    weight: fc.double({ min: 0.01, max: 100, noNaN: true }),
    demand: fc.double({ min: 0, max: 10_000, noNaN: true }),
  }),
  { minLength: 1, maxLength: 40 },
)
const capacity = fc.double({ min: 0, max: 20_000, noNaN: true })
const sharesOf = (of: number, all: readonly { weight: number; demand: number }[]) => {
  const level = fairLevel(of, all)
  return all.map(({ weight, demand }) => Math.min(demand, weight * level))
}
const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0)
const run = { numRuns: 500, seed: 42 }

describe('the weighted max-min fair division', () => {
  it('gives three who want 2, 4 and 10 of 12 their 2, 4 and 6', () => {
    const wants = [2, 4, 10].map((demand) => ({ weight: 1, demand }))
    expect(sharesOf(12, wants)).toEqual([2, 4, 6])
  })

  it('gives by weight where all want more than there is', () => {
    const wants = [1, 2, 3].map((weight) => ({ weight, demand: 100 }))
    expect(sharesOf(60, wants)).toEqual([10, 20, 30])
  })

  it('gives all there is or all that is wanted, and nobody more than he wants', () => {
    fc.assert(
      fc.property(capacity, demands, (of, all) => {
        const given = sum(sharesOf(of, all))
        expect(given).toBeCloseTo(Math.min(of, sum(all.map(({ demand }) => demand))), 4)
      }),
      run,
    )
  })

  it('gives who wants more at least what anyone else has for his weight', () => {
    fc.assert(
      fc.property(capacity, demands, (of, all) => {
        const shares = sharesOf(of, all)
        const most = Math.max(...all.map(({ weight }, n) => (shares[n] ?? 0) / weight))
        all.forEach(({ weight, demand }, n) => {
          const share = shares[n] ?? 0
          if (share < demand - 1e-6) expect(share / weight).toBeGreaterThanOrEqual(most - 1e-6)
        })
      }),
      run,
    )
  })

  it('takes from nobody when there is more, and gives nobody more when another one comes', () => {
    fc.assert(
      fc.property(capacity, demands, (of, all) => {
        const [, ...fewer] = all
        const before = sharesOf(of, all)
        sharesOf(of * 1.5, all).forEach((share, n) => {
          expect(share).toBeGreaterThanOrEqual((before[n] ?? 0) - 1e-6)
        })
        if (fewer.length === 0) return
        sharesOf(of, fewer).forEach((share, n) => {
          expect(share).toBeGreaterThanOrEqual((before[n + 1] ?? 0) - 1e-6)
        })
      }),
      run,
    )
  })

  it('gives nobody more for asking for more than his share', () => {
    fc.assert(
      fc.property(capacity, demands, (of, all) => {
        const [first, ...rest] = all
        if (first === undefined) return
        const [modest = 0] = sharesOf(of, all)
        const [greedy = 0] = sharesOf(of, [{ ...first, demand: first.demand + 1e6 }, ...rest])
        if (modest < first.demand - 1e-6) expect(greedy).toBeCloseTo(modest, 4)
      }),
      run,
    )
  })
})
