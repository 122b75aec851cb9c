import { describe, expect, it } from 'vitest'
import { countOutcomes, type Outcome, PAIRS, reportText } from '../../../scripts/matrix/report.ts'
import { TOPICS } from '../../../scripts/matrix/topics/index.ts'

const everyCell = (reasonOf: (index: number) => string | undefined): Outcome[] =>
  TOPICS.flatMap(({ name }) => PAIRS.map((pair) => ({ topic: name, pair }))).map((cell, index) => {
    const reason = reasonOf(index)
    return { ...cell, table: '/{server}/mcp', ms: 7, ...(reason === undefined ? {} : { reason }) }
  })

describe('the era matrix', () => {
  it('has 44 cells, of eleven topics and four pairs of eras', () => {
    expect(TOPICS).toHaveLength(11)
    expect(new Set(TOPICS.map(({ name }) => name)).size).toBe(11)
    expect(countOutcomes(everyCell(() => undefined))).toEqual({ passed: 44, failed: 0 })
  })

  it('prints a row per topic, and the reason of each failure below', () => {
    const lines = reportText(everyCell((index) => (index === 1 ? 'no answer' : undefined))).split(
      '\n',
    )
    expect(lines).toHaveLength(13)
    expect(lines[0]).toMatch(/legacy > legacy +legacy > modern +modern > legacy +modern > modern$/)
    expect(lines[1]).toMatch(/^plain-call +ok 7 ms +FAIL +ok 7 ms +ok 7 ms$/)
    expect(lines[12]).toBe('  plain-call, legacy > modern: no answer')
  })

  it('counts what failed', () => {
    expect(countOutcomes(everyCell((index) => (index < 3 ? 'x' : undefined)))).toEqual({
      passed: 41,
      failed: 3,
    })
  })

  it('shows a cell that did not run as such', () => {
    const [first] = everyCell(() => undefined)
    expect(first && reportText([first])).toMatch(/plain-call +ok 7 ms +- +- +-$/)
  })
})
