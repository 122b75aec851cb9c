import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Candidate, rank } from '../../../src/mcp/routing/score.ts'

const BASE: Candidate = {
  server: 'a',
  health: 'healthy',
  breaker: 'closed',
  latencyMs: undefined,
  weight: 1,
  registeredAt: 1,
}
const with_ = (server: string, change: Partial<Candidate> = {}) => ({ ...BASE, server, ...change })

const candidate = fc.record({
  server: fc.string({ minLength: 1, maxLength: 3 }),
  health: fc.constantFrom('healthy', 'unhealthy', 'unknown'),
  breaker: fc.constantFrom('closed', 'half_open', 'open'),
  latencyMs: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }),
  weight: fc.integer({ min: 0, max: 10 }),
  registeredAt: fc.integer({ min: 0, max: 5 }),
}) satisfies fc.Arbitrary<Candidate>
const candidates = fc.uniqueArray(candidate, { selector: ({ server }) => server, maxLength: 12 })
const names = (ranked: readonly Candidate[]) => ranked.map(({ server }) => server)

describe('the order of candidates', () => {
  it('is the same in whatever order they come', () => {
    fc.assert(
      fc.property(candidates, fc.infiniteStream(fc.nat()), (all, dice) => {
        const shuffled = all
          .map((one) => [dice.next().value ?? 0, one] as const)
          .sort(([a], [b]) => a - b)
          .map(([, one]) => one)
        expect(rank(shuffled)).toEqual(rank(all))
      }),
    )
  })

  it('is total: what one is to another does not change with who else is there', () => {
    fc.assert(
      fc.property(
        candidates,
        fc.array(fc.string({ minLength: 1, maxLength: 3 })),
        (all, prefer) => {
          const ranked = names(rank(all, prefer))
          expect(new Set(ranked).size).toBe(all.length)
          for (const left of all) {
            for (const right of all) {
              if (left.server === right.server) continue
              const [first] = names(rank([left, right], prefer))
              const isBefore = ranked.indexOf(left.server) < ranked.indexOf(right.server)
              expect(first).toBe(isBefore ? left.server : right.server)
            }
          }
        },
      ),
    )
  })

  it('never puts one whose breaker is open before one that takes calls', () => {
    fc.assert(
      fc.property(candidates, (all) => {
        const phases = rank(all, ['a']).map(({ breaker }) => breaker === 'open')
        expect(phases).toEqual(phases.toSorted((a, b) => Number(a) - Number(b)))
      }),
    )
  })

  it('gives scores of 0 to 100 that fall along it, where nobody is preferred', () => {
    fc.assert(
      fc.property(candidates, (all) => {
        const scores = rank(all).map(({ score }) => score)
        expect(scores).toEqual(scores.toSorted((a, b) => b - a))
        expect(scores.every((score) => score >= 0 && score <= 100)).toBe(true)
      }),
    )
  })

  it('gives latency every point that availability leaves', () => {
    const [fast, slow] = rank([
      with_('slow', { latencyMs: 60_000 }),
      with_('fast', { latencyMs: 1 }),
    ])
    expect([fast?.score, slow?.score]).toEqual([100, 80])
  })

  it('leaves nobody out and changes nothing of them', () => {
    fc.assert(
      fc.property(candidates, (all) => {
        const ranked = rank(all)
        for (const one of all) {
          expect(ranked.find(({ server }) => server === one.server)).toMatchObject(one)
        }
      }),
    )
  })

  it.each<[string, Candidate[], string[], string]>([
    ['the only one', [with_('a')], ['a'], 'only_one'],
    [
      'availability before all else',
      [
        with_('open', { breaker: 'open', latencyMs: 1 }),
        with_('sick', { health: 'unhealthy', latencyMs: 1 }),
        with_('trying', { breaker: 'half_open', latencyMs: 1 }),
        with_('new', { health: 'unknown', latencyMs: 1 }),
        with_('good', { latencyMs: 9_000 }),
      ],
      ['good', 'new', 'trying', 'sick', 'open'],
      'availability',
    ],
    [
      'latency by factors of two, not by milliseconds',
      [
        with_('b', { latencyMs: 110, registeredAt: 1 }),
        with_('a', { latencyMs: 180, registeredAt: 0 }),
        with_('slow', { latencyMs: 420, registeredAt: 0 }),
        with_('fast', { latencyMs: 12, registeredAt: 2 }),
      ],
      ['fast', 'a', 'b', 'slow'],
      'score',
    ],
    [
      'weight',
      [with_('small', { weight: 1 }), with_('large', { weight: 3 })],
      ['large', 'small'],
      'weight',
    ],
    [
      'who was there first: a newcomer that is no better takes nothing',
      [with_('a', { registeredAt: 2 }), with_('b', { registeredAt: 1 })],
      ['b', 'a'],
      'registered_first',
    ],
    ['the name at last', [with_('b'), with_('a')], ['a', 'b'], 'name'],
  ])('goes by %s', (_what, all, expected, reason) => {
    const ranked = rank(all)
    expect(names(ranked)).toEqual(expected)
    expect(ranked[0]?.reason).toBe(reason)
  })

  it('follows what the caller prefers among those that are as available', () => {
    const all = [
      with_('fast', { latencyMs: 1 }),
      with_('own'),
      with_('sick', { health: 'unhealthy' }),
    ]
    const ranked = rank(all, ['sick', 'own'])
    expect(names(ranked)).toEqual(['own', 'fast', 'sick'])
    expect(ranked.map(({ reason }) => reason)).toEqual(['preference', 'preference', 'availability'])
  })
})
