import { describe, expect, it } from 'vitest'
import {
  BALANCERS,
  type BalancerName,
  type Candidate,
  pickEndpoint,
} from '../../src/resilience/index.ts'

interface Named extends Candidate {
  readonly id: string
}
const endpoint = (id: string, part: Partial<Candidate> = {}): Named => ({
  id,
  weight: 1,
  health: 'healthy',
  breaker: 'closed',
  ...part,
})

/** Chance spread evenly over [0, 1), so that counts are exact. */
function picks(name: BalancerName, candidates: readonly Named[], times = 1_000) {
  const counts: Record<string, number> = {}
  for (let step = 0; step < times; step += 1) {
    const picked = pickEndpoint(name, candidates, { fraction: () => (step + 0.5) / times })
    const id = picked?.id ?? 'none'
    counts[id] = (counts[id] ?? 0) + 1
  }
  return counts
}

const names = Object.keys(BALANCERS) as BalancerName[]

describe.each(names)('the contract of a balancer: %s', (name) => {
  const picked = (candidates: readonly Named[]) => Object.keys(picks(name, candidates)).sort()

  it('picks the only endpoint, and nothing from nothing', () => {
    expect(picked([endpoint('a')])).toEqual(['a'])
    expect(picked([])).toEqual(['none'])
  })

  it('gives every good endpoint some calls', () => {
    expect(picked([endpoint('a'), endpoint('b', { health: 'unknown' }), endpoint('c')])).toEqual([
      'a',
      'b',
      'c',
    ])
  })

  it('leaves out unhealthy endpoints and open breakers while others are good', () => {
    const sick = endpoint('sick', { health: 'unhealthy' })
    const open = endpoint('open', { breaker: 'open' })
    expect(picked([sick, open, endpoint('good')])).toEqual(['good'])
  })

  it('lets a half-open endpoint compete', () => {
    expect(picked([endpoint('a'), endpoint('half', { breaker: 'half_open' })])).toEqual([
      'a',
      'half',
    ])
  })

  it('tries unhealthy endpoints when there is no other: panic mode', () => {
    const sick = endpoint('sick', { health: 'unhealthy' })
    const open = endpoint('open', { breaker: 'open' })
    expect(picked([sick, open])).toEqual(['sick'])
  })

  it('picks nothing when every breaker is open', () => {
    expect(picked([endpoint('a', { breaker: 'open' })])).toEqual(['none'])
  })

  it('gives calls even when every weight is 0', () => {
    expect(picked([endpoint('a', { weight: 0 }), endpoint('b', { weight: 0 })])).toEqual(['a', 'b'])
  })
})

describe('weighted-random', () => {
  it('spreads calls in proportion to weight', () => {
    const counts = picks('weighted-random', [
      endpoint('a', { weight: 7 }),
      endpoint('b', { weight: 2 }),
      endpoint('c', { weight: 1 }),
      endpoint('drained', { weight: 0 }),
    ])
    expect(counts).toEqual({ a: 700, b: 200, c: 100 })
  })
})
