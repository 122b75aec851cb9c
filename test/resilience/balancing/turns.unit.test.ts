import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { counts, endpoint, picker, times } from './fixtures.ts'

const weights = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 2, maxLength: 6 })
const named = (all: readonly number[]) => all.map((weight, at) => endpoint(`e${at}`, { weight }))

describe('weighted', () => {
  it('gives each endpoint exactly its weight in any window of as many calls as the weights sum up to', () => {
    fc.assert(
      fc.property(weights, fc.integer(), fc.nat(200), (all, seed, start) => {
        const pick = picker('weighted', { seed })
        const candidates = named(all)
        const sum = all.reduce((one, other) => one + other, 0)
        times(start, () => pick(candidates))
        const window = counts(times(sum, () => pick(candidates)))
        expect(window).toEqual(Object.fromEntries(all.map((weight, at) => [`e${at}`, weight])))
      }),
    )
  })

  it('spreads the calls of a heavy endpoint out', () => {
    const pick = picker('weighted', { random: { fraction: () => 0 } })
    const candidates = [endpoint('a', { weight: 5 }), endpoint('b'), endpoint('c')]
    expect(times(7, () => pick(candidates)).join('')).toBe('aabacaa')
  })

  it('is never off by a call or more for long, whoever comes and goes', () => {
    const subsets = fc.array(fc.nat(30), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(weights, subsets, fc.integer(), (all, masks, seed) => {
        const pick = picker('weighted', { seed })
        const candidates = named(all)
        for (const mask of masks) {
          const there = candidates.filter((_, at) => ((mask >> at) & 1) === 1)
          pick(there.length > 0 ? there : candidates)
        }
        const sum = all.reduce((one, other) => one + other, 0)
        const rounds = 40
        const counted = counts(times(sum * rounds, () => pick(candidates)))
        all.forEach((weight, at) => {
          const off = Math.abs((counted[`e${at}`] ?? 0) - weight * rounds)
          expect(off).toBeLessThanOrEqual(masks.length + 1)
        })
      }),
    )
  })
})

describe('round-robin', () => {
  it('gives each endpoint one turn in every window of as many calls as there are endpoints', () => {
    fc.assert(
      fc.property(weights, fc.integer(), fc.nat(50), (all, seed, start) => {
        const pick = picker('round-robin', { seed })
        const candidates = named(all)
        times(start + all.length, () => pick(candidates))
        const window = times(all.length, () => pick(candidates))
        expect(new Set(window).size).toBe(all.length)
      }),
    )
  })

  it('gives an endpoint that comes back one turn, not all those it missed', () => {
    const pick = picker('round-robin', { random: { fraction: () => 0 } })
    const [a, b, c] = [endpoint('a'), endpoint('b'), endpoint('c')]
    expect(times(3, () => pick([a, b, c])).join('')).toBe('abc')
    times(50, () => pick([b, c]))
    expect(times(6, () => pick([a, b, c])).join('')).toBe('abcabc')
  })
})

describe('random', () => {
  it('spreads calls in proportion to weight', () => {
    const candidates = [
      endpoint('a', { weight: 7 }),
      endpoint('b', { weight: 2 }),
      endpoint('c', { weight: 1 }),
      endpoint('drained', { weight: 0 }),
    ]
    // Chance spread evenly over [0, 1), so that counts are exact.
    const picks = times(1_000, (step) =>
      picker('random', { random: { fraction: () => (step + 0.5) / 1_000 } })(candidates),
    )
    expect(counts(picks)).toEqual({ a: 700, b: 200, c: 100 })
  })
})
