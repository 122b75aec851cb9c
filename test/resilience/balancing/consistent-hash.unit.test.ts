import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { capacityOf, EPSILON } from '../../../src/resilience/balancing/consistent-hash.ts'
import { counts, endpoint, loads, type Named, picker, times } from './fixtures.ts'

const pick = picker('consistent-hash')
const homeOf = (key: string, candidates: readonly Named[]) => pick(candidates, { key: () => key })
const keys = (count: number) => times(count, (index) => `issuer/user-${index}`)
const five = ['a', 'b', 'c', 'd', 'e'].map((name) => endpoint(name))

describe('consistent-hash', () => {
  it('always sends one key to one endpoint, in whatever order they are listed', () => {
    for (const key of keys(50)) {
      expect(homeOf(key, five)).toBe(homeOf(key, [...five].reverse()))
    }
  })

  it('moves only the keys of the endpoint that leaves, and spreads them over the others', () => {
    const rest = five.filter(({ name }) => name !== 'c')
    const moved = keys(3_000).flatMap((key) => {
      const before = homeOf(key, five)
      const after = homeOf(key, rest)
      if (before !== 'c') expect(after).toBe(before)
      return before === 'c' ? [after] : []
    })
    expect(moved.length).toBeGreaterThan(450)
    for (const { name } of rest) expect(counts(moved)[name]).toBeGreaterThan(moved.length / 8)
  })

  it('moves keys to an endpoint that comes or grows only, and between no others', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 7 })
    fc.assert(
      fc.property(weights, fc.nat(6), fc.integer({ min: 1, max: 9 }), (all, at, more) => {
        const grown = at % all.length
        const before = all.map((weight, index) => endpoint(`e${index}`, { weight }))
        const after = before.map((one, index) =>
          index === grown ? { ...one, weight: one.weight + more } : one,
        )
        const joined = [...before, endpoint('new', { weight: more })]
        for (const key of keys(40)) {
          const home = homeOf(key, before)
          expect([home, `e${grown}`]).toContain(homeOf(key, after))
          expect([home, 'new']).toContain(homeOf(key, joined))
        }
      }),
    )
  })

  it('keeps no endpoint above its fair share of the calls in flight by more than epsilon', () => {
    const calls = fc.array(fc.record({ key: fc.nat(4), ends: fc.boolean() }), { maxLength: 200 })
    const weights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 6 })
    fc.assert(
      fc.property(weights, calls, (all, sequence) => {
        const candidates = all.map((weight, at) => endpoint(`e${at}`, { weight }))
        const shares = all.reduce((sum, weight) => sum + weight, 0)
        const inFlight: Record<string, number> = {}
        const running: string[] = []
        for (const { key, ends } of sequence) {
          if (ends) {
            const over = running.shift()
            if (over !== undefined) inFlight[over] = (inFlight[over] ?? 0) - 1
            continue
          }
          const name = pick(candidates, { key: () => `hot-${key}`, load: loads(inFlight) })
          running.push(name)
          inFlight[name] = (inFlight[name] ?? 0) + 1
          const weight = all[Number(name.slice(1))] ?? 0
          const fair = (running.length * weight) / shares
          expect(inFlight[name]).toBeLessThan((1 + EPSILON) * fair + 1)
          expect(inFlight[name]).toBeLessThanOrEqual(capacityOf({ weight }, running.length, shares))
        }
      }),
    )
  })

  it('sends a key whose endpoint is full to the one that would be its own without it', () => {
    for (const key of keys(30)) {
      const home = homeOf(key, five)
      const next = homeOf(
        key,
        five.filter(({ name }) => name !== home),
      )
      const load = loads({ [home]: 10 })
      expect(pick(five, { key: () => key, load })).toBe(next)
    }
  })

  it('spreads calls that belong to nobody', () => {
    const picks = times(500, () => pick(five, { key: undefined }))
    expect(Object.keys(counts(picks)).sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
  })
})
