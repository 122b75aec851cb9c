import { describe, expect, it } from 'vitest'
import { lineupOf } from '../../../src/mcp/shared/lineup.ts'
import { indexed, toolsRequest } from './shared-lists.ts'

const indexOf = (servers: number) => Array.from({ length: servers }, (_, at) => indexed(at, 1))

describe('the line-up of a caller', () => {
  it('is remembered for as long as the index lives', () => {
    const index = indexOf(3)
    const lineup = lineupOf(index, toolsRequest('ann'))
    expect(lineup.sections).toHaveLength(3)
    lineupOf(index, toolsRequest('bob'))
    expect(lineupOf(index, toolsRequest('ann'))).toBe(lineup)
    expect(lineupOf(indexOf(3), toolsRequest('ann'))).not.toBe(lineup)
  })

  it('is forgotten when those of 20,000 servers are remembered, the longest unused first', () => {
    const index = indexOf(8_000)
    const ann = lineupOf(index, toolsRequest('ann'))
    const bob = lineupOf(index, toolsRequest('bob'))
    expect(lineupOf(index, toolsRequest('ann'))).toBe(ann)
    lineupOf(index, toolsRequest('cyn'))
    expect(lineupOf(index, toolsRequest('ann'))).toBe(ann)
    expect(lineupOf(index, toolsRequest('bob'))).not.toBe(bob)
  })

  it('is forgotten behind 200 others', () => {
    const index = indexOf(1)
    const ann = lineupOf(index, toolsRequest('ann'))
    for (let count = 0; count < 200; count += 1) lineupOf(index, toolsRequest(`other-${count}`))
    expect(lineupOf(index, toolsRequest('ann'))).not.toBe(ann)
  })
})
