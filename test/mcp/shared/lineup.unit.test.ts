import { describe, expect, it } from 'vitest'
import { ServerPath } from '../../../src/core/index.ts'
import { lineupOf } from '../../../src/mcp/shared/lineup.ts'
import { parsePolicySeed, rightsOf } from '../../../src/policy/index.ts'
import type { PinnedItem, VirtualServerRecord } from '../../../src/registry/index.ts'
import { adminOf, indexed, TENANT, toolsRequest } from './shared-lists.ts'

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

describe('the line-up behind a virtual server', () => {
  const away = { ...indexed(0, 2), catalogHash: null }
  const index = [away, indexed(1, 2), indexed(2, 2)]
  const item = (server: PinnedItem['server'], key: string): PinnedItem => ({
    ...{ kind: 'tool', server, key, name: `my-${key}`, contentHash: 'c', state: 'changed' },
  })
  const virtual: VirtualServerRecord = {
    ...{ id: 'v', tenant: TENANT, path: ServerPath.parse('desk'), name: 'Desk', description: '' },
    ...{ instructions: '', owner: 'o', visibility: 'public', allowedGroups: [], enabled: true },
    items: index.flatMap(({ path }) => [item(path, 'a'), item(path, 'b')]),
  }

  function unavailableTo(tools: readonly string[]) {
    const grants = index.map(({ path }) => ({ server: path, methods: ['*'], tools }))
    const desk = { server: 'desk', methods: ['*'], tools: ['*'] }
    const policy = parsePolicySeed({
      group_mappings: { guests: ['guest'] },
      guest: [desk, ...grants],
    })
    const principal = { ...adminOf('gus').principal, groups: ['guests'] }
    const actor = { principal, rights: rightsOf(principal, policy, { bootstrap: false }) }
    const endpoint = { kind: 'virtual', path: 'desk', virtual } as const
    return lineupOf(index, { ...toolsRequest('gus'), actor, endpoint }).unavailable
  }

  it('says nothing of a server to who may use no chosen item of it', () => {
    expect(unavailableTo([])).toEqual([])
    expect(unavailableTo(['c'])).toEqual([])
  })

  it('names what is missing to who may use it', () => {
    const changed = index.map(({ path: server }) => ({ server, item: 'my-a', reason: 'changed' }))
    expect(unavailableTo(['a'])).toEqual([{ server: 's00000', reason: 'not_reached' }, ...changed])
  })
})
