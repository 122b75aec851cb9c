import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeFairness } from '../../../scripts/fairness/report.ts'
import { fairShares, sharesOf, type UserTally } from '../../../scripts/fairness/shares.ts'

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
const tally = (user: string, asked: number, served: number): UserTally => ({
  ...{ tenant: 'a', user, asked, served, refused: asked - served, errors: [] },
  isGreedy: asked > 100,
})

describe('fair shares', () => {
  it('serve the modest wholly and divide the rest', () => {
    expect(fairShares([400, 40, 400, 40], 600)).toEqual([260, 40, 260, 40])
    expect(fairShares([10, 20], 100)).toEqual([10, 20])
    expect(fairShares([], 100)).toEqual([])
  })

  it('are max-min fair: none is above its demand, and who gets less than it has no poorer friend', () => {
    const demands = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(demands, fc.integer({ min: 0, max: 5_000 }), (asked, capacity) => {
        const shares = fairShares(asked, capacity)
        expect(sum(shares)).toBeCloseTo(Math.min(capacity, sum(asked)), 6)
        const most = Math.max(...shares)
        for (const [index, share] of shares.entries()) {
          const demand = asked[index] ?? 0
          expect(share).toBeLessThanOrEqual(demand)
          if (share < demand - 1e-6) expect(share).toBeCloseTo(most, 6)
        }
      }),
    )
  })

  it('are compared with what a tenant got in all', () => {
    const shares = sharesOf([tally('greedy', 400, 160), tally('modest', 40, 40)])
    expect(shares.map(({ fair }) => fair)).toEqual([160, 40])
    expect(shares.map(({ ratio }) => ratio)).toEqual([1, 1])
  })
})

describe('the verdict on fairness', () => {
  const broken = (above: readonly UserTally[], below: readonly UserTally[] = []) =>
    judgeFairness({ limit: 200, above, below }).flatMap((verdict) =>
      verdict.broken.map(() => verdict.promise.split(' ').slice(0, 2).join(' ')),
    )

  it('is good when nobody took from another', () => {
    const fair = [tally('g', 400, 160), tally('m', 40, 39), tally('n', 40, 40)]
    expect(broken(fair, [tally('b', 30, 30)])).toEqual([])
  })

  it('names who got less, and who took it', () => {
    const unfair = [tally('g', 400, 180), tally('h', 400, 120), tally('m', 40, 20)]
    expect(broken(unfair)).toEqual(['whoever shares', 'greedy users', 'greedy users'])
  })

  it('wants the limit to be given out, and not only what was given to be fair', () => {
    expect(broken([tally('g', 400, 149), tally('m', 40, 40)])).toEqual(['tenants above'])
    expect(broken([tally('g', 400, 150), tally('m', 40, 40)])).toEqual([])
  })

  it('wants no refusal below the limit, and nothing but refusals above', () => {
    const failed = { ...tally('g', 400, 200), errors: ['HTTP 500'] }
    expect(broken([failed], [tally('b', 30, 29)])).toEqual(['below the', 'above it'])
  })
})
