import { describe, expect, it } from 'vitest'
import { BALANCERS, type BalancerName } from '../../../src/resilience/balancing/index.ts'
import { BALANCER_NAMES } from '../../../src/resilience/settings.ts'
import { counts, endpoint, type Named, picker, times } from './fixtures.ts'

const CALLS = 6_000
/** What `round-robin` is for: all alike. */
const WEIGHTLESS: readonly BalancerName[] = ['round-robin']

const names = Object.keys(BALANCERS) as BalancerName[]

it('has a row for every name that may be configured', () => {
  expect(names.sort()).toEqual([...BALANCER_NAMES].sort())
})

describe.each(names)('the contract of a balancer: %s', (name) => {
  const run = (candidates: readonly Named[], calls = CALLS, seed = 1) => {
    const pick = picker(name, { seed })
    return times(calls, () => pick(candidates))
  }
  const picked = (candidates: readonly Named[]) => Object.keys(counts(run(candidates, 500))).sort()

  /** Each one's part of the calls is its part of the weights, give or take. */
  function expectShares(picks: readonly string[], shares: Record<string, number>): void {
    const sum = Object.values(shares).reduce((all, share) => all + share, 0)
    const counted = counts(picks)
    expect(Object.keys(counted).sort()).toEqual(Object.keys(shares).sort())
    for (const [of, share] of Object.entries(shares)) {
      expect((counted[of] ?? 0) / picks.length, of).toBeCloseTo(share / sum, 1)
      expect(Math.abs((counted[of] ?? 0) / picks.length - share / sum), of).toBeLessThan(0.03)
    }
  }

  it('picks the only endpoint, and nothing from nothing', () => {
    expect(picked([endpoint('a')])).toEqual(['a'])
    expect(picked([])).toEqual(['none'])
  })

  it('spreads calls evenly over endpoints that are alike', () => {
    expectShares(run([endpoint('a'), endpoint('b'), endpoint('c')]), { a: 1, b: 1, c: 1 })
  })

  it('honours weights, or says that it does not', () => {
    const shares = WEIGHTLESS.includes(name) ? { a: 1, b: 1, c: 1 } : { a: 6, b: 3, c: 1 }
    const candidates = [
      endpoint('a', { weight: 6 }),
      endpoint('b', { weight: 3 }),
      endpoint('c', { weight: 1 }),
    ]
    // Two that chance picks do not meet in proportion to their weights: only their order is kept.
    if (name !== 'least-latency') return expectShares(run(candidates), shares)
    const { a = 0, b = 0, c = 0 } = counts(run(candidates))
    expect(a).toBeGreaterThan(b)
    expect(b).toBeGreaterThan(c)
    expect(c).toBeGreaterThanOrEqual(0)
  })

  it('leaves out unhealthy endpoints and open breakers while others are good', () => {
    const sick = endpoint('sick', { health: 'unhealthy' })
    const open = endpoint('open', { breaker: 'open' })
    expect(picked([sick, open, endpoint('good')])).toEqual(['good'])
    const unknown = endpoint('unknown', { health: 'unknown' })
    expect(picked([sick, open, endpoint('good'), unknown])).toEqual(['good', 'unknown'])
  })

  it('lets a half-open endpoint compete', () => {
    const half = endpoint('half', { breaker: 'half_open' })
    expect(picked([endpoint('a'), half])).toEqual(['a', 'half'])
  })

  it('tries unhealthy endpoints when there is no other: panic mode', () => {
    const sick = ['one', 'two'].map((one) => endpoint(one, { health: 'unhealthy' }))
    const open = endpoint('open', { breaker: 'open' })
    expect(picked([...sick, open])).toEqual(['one', 'two'])
  })

  it('picks nothing when every breaker is open', () => {
    expect(picked([endpoint('a', { breaker: 'open' })])).toEqual(['none'])
  })

  it('gives a weight of 0 no calls while somebody has more, and then each as many', () => {
    const drained = endpoint('drained', { weight: 0 })
    expect(picked([endpoint('a'), drained])).toEqual(['a'])
    const both = [endpoint('a', { weight: 0 }), drained]
    expectShares(run(both), { a: 1, drained: 1 })
  })

  it('keeps proportions when an endpoint leaves, and when it comes back', () => {
    const all = ['a', 'b', 'c', 'd'].map((one) => endpoint(one))
    const pick = picker(name)
    times(101, () => pick(all))
    const rest = all.slice(1)
    expectShares(
      times(CALLS, () => pick(rest)),
      { b: 1, c: 1, d: 1 },
    )
    expectShares(
      times(CALLS, () => pick(all)),
      { a: 1, b: 1, c: 1, d: 1 },
    )
  })

  it('does the same again with the same seed', () => {
    const all = ['a', 'b', 'c'].map((one) => endpoint(one, { weight: 2 }))
    expect(run(all, 200, 7)).toEqual(run(all, 200, 7))
  })

  it('begins elsewhere on another isolate', () => {
    const all = ['a', 'b', 'c'].map((one) => endpoint(one))
    const firsts = times(60, (seed) => picker(name, { seed, key: () => `first-${seed}` })(all))
    expect(Object.keys(counts(firsts)).sort()).toEqual(['a', 'b', 'c'])
  })
})
