import { describe, expect, it, vi } from 'vitest'
import type { Wanted } from '../../../src/mcp/notices/notice.ts'
import { createReachOfStream } from '../../../src/mcp/notices/reach-of-stream.ts'

const TOOLS: Wanted = { lists: ['tools'], uris: [] }
const ALL = { kind: 'all', path: 'mcp' }

/** `/mcp` over these servers, as of one generation. */
function arriving(...paths: string[]) {
  const index = vi.fn(async () =>
    paths.map((path) => ({
      ...{ id: path, path, enabled: true, owner: 'o', visibility: 'public', allowedGroups: [] },
      upstream: { eras: 'modern', capabilities: { tools: { listChanged: true } } },
    })),
  )
  const grants = { methods: 'all', listed: 'all', callable: 'all' }
  const actor = {
    principal: { key: 'i#s', groups: [], scopes: [] },
    rights: { isAdmin: false, grantsOf: () => grants },
  }
  const resolved = { kind: 'shared', endpoint: ALL }
  return { index, arrival: { actor, snapshot: { index }, resolved } as never }
}

describe('what a stream is about', () => {
  it('is judged once for a generation and for what is wanted', async () => {
    const reachNow = createReachOfStream({} as never, 'listen', [])
    const one = arriving('a')
    const reach = await reachNow(one.arrival, TOOLS)
    expect(reach).toMatchObject([{ server: 'a', lists: ['tools'] }])
    expect(await reachNow(one.arrival, TOOLS)).toBe(reach)
    expect(one.index).toHaveBeenCalledTimes(1)
    expect(await reachNow(one.arrival, { lists: [], uris: [] })).toEqual([])
    expect(one.index).toHaveBeenCalledTimes(2)
  })

  it('is judged again with the next generation, and is the same when nothing of it has changed', async () => {
    const reachNow = createReachOfStream({} as never, 'listen', [])
    const reach = await reachNow(arriving('a').arrival, TOOLS)
    expect(await reachNow(arriving('a').arrival, TOOLS)).toBe(reach)
    expect(await reachNow(arriving('a', 'b').arrival, TOOLS)).toHaveLength(2)
  })
})
