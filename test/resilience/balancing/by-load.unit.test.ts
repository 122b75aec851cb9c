import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { counts, endpoint, loads, picker, times } from './fixtures.ts'

const busy = fc.array(
  fc.record({ weight: fc.integer({ min: 1, max: 20 }), inFlight: fc.nat(50) }),
  { minLength: 2, maxLength: 8 },
)

describe('least-connections', () => {
  it('never picks an endpoint when another has fewer calls in flight for its weight', () => {
    fc.assert(
      fc.property(busy, fc.integer(), (all, seed) => {
        const inFlight = Object.fromEntries(all.map((one, at) => [`e${at}`, one.inFlight]))
        const pick = picker('least-connections', { seed, load: loads(inFlight) })
        const name = pick(all.map(({ weight }, at) => endpoint(`e${at}`, { weight })))
        const picked = all[Number(name.slice(1))]
        const loadOf = (one: (typeof all)[number]) => one.inFlight / one.weight
        expect(picked && loadOf(picked)).toBe(Math.min(...all.map(loadOf)))
      }),
    )
  })

  it('fills endpoints up by weight as calls pile up', () => {
    const inFlight: Record<string, number> = { a: 0, b: 0, c: 0 }
    const pick = picker('least-connections')
    const candidates = [endpoint('a', { weight: 4 }), endpoint('b', { weight: 2 }), endpoint('c')]
    times(70, () => {
      const name = pick(candidates, { load: loads(inFlight) })
      inFlight[name] = (inFlight[name] ?? 0) + 1
    })
    expect(inFlight).toEqual({ a: 40, b: 20, c: 10 })
  })
})

describe('least-latency', () => {
  const both = [endpoint('fast'), endpoint('slow')]
  const pickWith = (
    inFlight: Record<string, number>,
    latencies: Record<string, number>,
    candidates = both,
  ) => {
    const pick = picker('least-latency', { load: loads(inFlight, latencies) })
    return counts(times(300, () => pick(candidates)))
  }

  it('takes the faster of two', () => {
    expect(pickWith({}, { fast: 10, slow: 40 })).toEqual({ fast: 300 })
  })

  it('counts the calls in flight in: a fast one that is busy is slow', () => {
    expect(pickWith({ fast: 9 }, { fast: 10, slow: 40 })).toEqual({ slow: 300 })
    expect(pickWith({ fast: 2 }, { fast: 10, slow: 40 })).toEqual({ fast: 300 })
  })

  it('takes a heavier endpoint to do more in the same time', () => {
    const candidates = [endpoint('fast'), endpoint('slow', { weight: 8 })]
    expect(pickWith({}, { fast: 10, slow: 40 }, candidates)).toEqual({ slow: 300 })
  })

  it('tries one whose latency nobody knows, but not with everything at once', () => {
    const counted = pickWith({}, { fast: 10 })
    expect(counted['slow']).toBeGreaterThan(50)
    expect(pickWith({ slow: 1 }, { fast: 10 })).toEqual({ fast: 300 })
  })

  it('never picks the worst of all, and the best most of the time', () => {
    const names = ['e0', 'e1', 'e2', 'e3', 'e4']
    const latencies = Object.fromEntries(names.map((name, at) => [name, 10 * (at + 1)]))
    const counted = pickWith(
      {},
      latencies,
      names.map((name) => endpoint(name)),
    )
    expect(counted['e4']).toBeUndefined()
    const inOrder = names.slice(0, 4).map((name) => counted[name] ?? 0)
    expect(inOrder).toEqual([...inOrder].sort((one, other) => other - one))
  })
})
