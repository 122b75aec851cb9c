import { describe, expect, it } from 'vitest'
import { freshnessOf, mayServeStale, mayStartConfirm } from '../../src/core/freshness.ts'

const config = { freshMs: 3000, staleMs: 5000, policyMaxStaleMs: 60_000 }

describe('the freshness of a snapshot (DESIGN.md, Decision 4)', () => {
  it.each([
    [0, 'use', true],
    [2999, 'use', true],
    [3000, 'use_and_confirm', true],
    [4999, 'use_and_confirm', true],
    [5000, 'confirm_first', true],
    [59_999, 'confirm_first', true],
    [60_000, 'confirm_first', false],
    [Number.POSITIVE_INFINITY, 'confirm_first', false],
    [-1, 'confirm_first', false],
  ])('at the age of %d ms is %s; without D1 it may serve: %s', (ageMs, freshness, serves) => {
    expect(freshnessOf(ageMs, config)).toBe(freshness)
    expect(mayServeStale(ageMs, config)).toBe(serves)
  })

  it.each([
    [10_000, 10_000, false],
    [10_000, 11_999, false],
    [10_000, 12_000, true],
    [10_000, 9999, true],
  ])('a confirmation begun at %d lets another begin at %d: %s', (startedAt, now, may) => {
    expect(mayStartConfirm(startedAt, now, config)).toBe(may)
  })
})
