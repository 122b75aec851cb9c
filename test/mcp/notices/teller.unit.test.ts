import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Change, Notice } from '../../../src/mcp/notices/notice.ts'
import { createTeller } from '../../../src/mcp/notices/teller.ts'

const TOOLS: Change = { kind: 'list', list: 'tools' }
const PROMPTS: Change = { kind: 'list', list: 'prompts' }
const updated = (uri: string): Change => ({ kind: 'resource', uri })

/** What tells of one server, whose catalogue is another one when the test says so. */
function telling() {
  const server = { id: 's', enabled: true, endpoints: [{ id: 'e' }] }
  const snapshot = { generation: 7, server: async () => server }
  const refresh = vi.fn(async () => ({ kind: 'stored' as 'stored' | 'unchanged' }))
  const tell = vi.fn(async (_notice: Notice) => undefined)
  const faults: unknown[] = []
  const deps = {
    snapshots: { tenant: async () => snapshot, confirmed: async () => snapshot },
    catalogObject: () => ({ refresh }),
    eventsObject: () => ({ tell }),
    onFault: (thrown: unknown) => faults.push(thrown),
    waitUntil: (work: Promise<unknown>) => void work,
  }
  const ctx = { random: { uuid: () => crypto.randomUUID() } }
  const target = { tenant: 't', path: 'one', serverId: 's' }
  const teller = createTeller(deps as never, ctx as never, target as never)
  const told = () => tell.mock.calls.map(([{ change }]) => change)
  return { teller, told, refresh, tell, faults }
}

describe('what tells of the changes of a server', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  const now = () => vi.advanceTimersByTimeAsync(0)

  it('tells at once, and once of what is said in one breath', async () => {
    const { teller, told, refresh } = telling()
    for (const change of [TOOLS, PROMPTS, TOOLS, updated('x:1'), updated('x:1')])
      teller.tell(change)
    await now()
    expect(told()).toHaveLength(3)
    expect(told()).toEqual(expect.arrayContaining([TOOLS, PROMPTS, updated('x:1')]))
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('asks a server that never falls silent once a second after some rounds, and tells its last change', async () => {
    const { teller, told, refresh } = telling()
    for (let at = 0; at < 290; at += 1) {
      teller.tell(TOOLS)
      teller.tell(updated('x:1'))
      await vi.advanceTimersByTimeAsync(10)
    }
    expect(refresh).toHaveBeenCalledTimes(6)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(refresh).toHaveBeenCalledTimes(7)
    expect(told().filter(({ kind }) => kind === 'list')).toHaveLength(7)
    expect(told().filter(({ kind }) => kind === 'resource')).toHaveLength(4)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(refresh).toHaveBeenCalledTimes(7)
    expect(vi.getTimerCount()).toBe(0)
    teller.tell(TOOLS)
    await now()
    expect(refresh).toHaveBeenCalledTimes(8)
  })

  it('tells what came while it asked', async () => {
    const { teller, told, refresh } = telling()
    refresh.mockImplementationOnce(async () => {
      teller.tell(TOOLS)
      return { kind: 'stored' }
    })
    teller.tell(TOOLS)
    await now()
    expect(told()).toEqual([TOOLS, TOOLS])
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('tells after a gap of lists that are others now, and of every resource', async () => {
    const { teller, told, refresh } = telling()
    refresh.mockResolvedValueOnce({ kind: 'unchanged' })
    teller.afterGap({ lists: ['tools'], uris: ['x:1'] })
    await now()
    expect(told()).toEqual([updated('x:1')])
    teller.afterGap({ lists: ['tools'], uris: [] })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(told()).toEqual([updated('x:1'), TOOLS])
  })

  // req: list-changed-once
  it('hands a notice over again, as the same one, when its reply was lost', async () => {
    const { teller, tell, faults } = telling()
    tell.mockRejectedValueOnce(new Error('lost'))
    teller.tell(updated('x:1'))
    await now()
    expect(tell).toHaveBeenCalledTimes(2)
    expect(tell.mock.calls[1]).toEqual(tell.mock.calls[0])
    expect(faults).toEqual([])
  })
})
