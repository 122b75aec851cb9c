import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { setBounded } from '../../src/core/index.ts'

describe('a bounded map', () => {
  it('never grows past its bound, and has what was set last', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.integer({ min: 0, max: 30 })),
        (bound, keys) => {
          const map = new Map<number, number>()
          keys.forEach((key, at) => {
            setBounded(map, key, at, bound)
            expect(map.get(key)).toBe(at)
            expect(map.size).toBeLessThanOrEqual(bound)
          })
        },
      ),
    )
  })

  it('never forgets what is used again within half its bound of others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), (half) => {
        const map = new Map<string, number>()
        for (let round = 0; round < 6; round += 1) {
          setBounded(map, 'used', round, 2 * half)
          for (let at = 0; at < half; at += 1) {
            setBounded(map, `${round} ${at}`, 0, 2 * half)
            expect(map.get('used')).toBe(round)
          }
        }
      }),
    )
  })

  it('forgets the least lately used of a full map', () => {
    const map = new Map<string, number>()
    for (const key of ['a', 'b', 'c', 'd', 'a', 'e']) setBounded(map, key, 0, 4)
    expect([...map.keys()]).toEqual(['c', 'd', 'a', 'e'])
  })
})
