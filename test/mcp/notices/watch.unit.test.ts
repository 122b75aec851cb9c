import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Wanted } from '../../../src/mcp/notices/notice.ts'
import type { WatchOpening } from '../../../src/mcp/notices/upstream-watch.ts'
import { createWatch } from '../../../src/mcp/notices/watch.ts'

const TOOLS: Wanted = { lists: ['tools'], uris: [] }
const NOTHING: Wanted = { lists: [], uris: [] }
const MINUTE_MS = 60_000
const CAPABILITIES = { tools: { listChanged: true }, resources: { subscribe: true } }

/** A watch over an upstream that answers as the test says. */
function watching(answer: () => 'open' | 'refused' | 'failed', server: object | undefined = {}) {
  const asked: Wanted[] = []
  const gaps: Wanted[] = []
  const streams: { end(): void; isClosed: boolean }[] = []
  const watch = createWatch({
    clock: { now: () => Date.now() },
    chance: () => 1,
    load: async () =>
      server &&
      ({
        endpoints: [],
        headers: [],
        upstream: { capabilities: CAPABILITIES },
        ...server,
      } as never),
    async open(_server, wanted): Promise<WatchOpening> {
      asked.push(wanted)
      const kind = answer()
      if (kind !== 'open') return { kind, outcome: 'success' }
      const stream = { end: (): void => undefined, isClosed: false }
      streams.push(stream)
      const ended = new Promise<void>((resolve) => {
        stream.end = resolve
      })
      const close = async () => {
        stream.isClosed = true
      }
      return { kind, outcome: 'success', watch: { told: wanted, ended, close } }
    },
    hear: () => undefined,
    afterGap: (told) => gaps.push(told),
    onFault: (thrown) => {
      throw thrown
    },
    waitUntil: (work) => void work,
  })
  return { watch, asked, gaps, streams }
}

describe('a watch over one server', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('asks once for what many want, anew for more, and leaves with the last', async () => {
    const { watch, asked, streams } = watching(() => 'open')
    expect(await watch.want(TOOLS)).toEqual(TOOLS)
    expect(await watch.want(TOOLS)).toEqual(TOOLS)
    expect(asked).toEqual([TOOLS])
    const more = { ...TOOLS, uris: ['x:1'] }
    expect(await watch.want(more)).toEqual(more)
    expect(streams.map(({ isClosed }) => isClosed)).toEqual([true, false])
    expect(await watch.want(NOTHING)).toEqual(NOTHING)
    await vi.advanceTimersByTimeAsync(0)
    expect(streams.map(({ isClosed }) => isClosed)).toEqual([true, true])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('asks for nothing that the server does not declare', async () => {
    const { watch, asked } = watching(() => 'open')
    expect(await watch.want({ lists: ['tools', 'prompts'], uris: [] })).toEqual(TOOLS)
    expect(asked).toEqual([TOOLS])
    await watch.want(NOTHING)
  })

  it('tells nothing of a server that refuses, and asks it no more for five minutes', async () => {
    const { watch, asked } = watching(() => 'refused')
    expect(await watch.want(TOOLS)).toEqual(NOTHING)
    for (let passed = 0; passed < 4; passed += 1) {
      await vi.advanceTimersByTimeAsync(MINUTE_MS)
      watch.look()
    }
    await vi.advanceTimersByTimeAsync(0)
    expect(asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(asked).toHaveLength(2)
    await watch.want(NOTHING)
  })

  it('goes back to a server that fails, ever more slowly, and says that it was away', async () => {
    let kind: 'open' | 'failed' = 'failed'
    const { watch, asked, gaps } = watching(() => kind)
    // It may tell later, so it counts as telling.
    expect(await watch.want(TOOLS)).toEqual(TOOLS)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(asked).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1_999)
    expect(asked).toHaveLength(2)
    kind = 'open'
    await vi.advanceTimersByTimeAsync(1)
    expect(asked).toHaveLength(3)
    expect(gaps).toEqual([TOOLS])
    await watch.want(NOTHING)
  })

  it('opens a stream again that ended, after a while', async () => {
    const { watch, asked, gaps, streams } = watching(() => 'open')
    await watch.want(TOOLS)
    expect(gaps).toEqual([])
    streams[0]?.end()
    await vi.advanceTimersByTimeAsync(999)
    expect(asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(asked).toHaveLength(2)
    expect(gaps).toEqual([TOOLS])
    await watch.want(NOTHING)
  })
})
