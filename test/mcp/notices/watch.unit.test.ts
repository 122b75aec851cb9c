import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Change, Wanted } from '../../../src/mcp/notices/notice.ts'
import type { WatchOpening } from '../../../src/mcp/notices/upstream-watch.ts'
import { createWatch } from '../../../src/mcp/notices/watch.ts'

const TOOLS: Wanted = { lists: ['tools'], uris: [] }
const NOTHING: Wanted = { lists: [], uris: [] }
const CHANGED: Change = { kind: 'list', list: 'tools' }
const MINUTE_MS = 60_000
const CAPABILITIES = { tools: { listChanged: true }, resources: { subscribe: true } }

interface Stream {
  end(): void
  readonly say: (change: Change) => void
  isClosed: boolean
}

/** A watch over an upstream that answers as the test says. */
function watching(answer: () => 'open' | 'refused' | 'failed', server: object | undefined = {}) {
  const asked: Wanted[] = []
  const gaps: Wanted[] = []
  const streams: Stream[] = []
  const heard: Change[] = []
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
    async open(_server, wanted, say): Promise<WatchOpening> {
      asked.push(wanted)
      const kind = answer()
      if (kind !== 'open') return { kind, outcome: 'success' }
      const stream: Stream = { end: () => undefined, say, isClosed: false }
      streams.push(stream)
      const ended = new Promise<void>((resolve) => {
        stream.end = resolve
      })
      const close = async () => {
        stream.isClosed = true
      }
      return { kind, outcome: 'success', watch: { told: wanted, ended, close } }
    },
    hear: (change) => heard.push(change),
    afterGap: (told) => gaps.push(told),
    onFault: (thrown) => {
      throw thrown
    },
    waitUntil: (work) => void work,
  })
  return { watch, asked, gaps, heard, streams }
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

  it.each(['failed', 'refused'] as const)(
    'goes on with what it has when one that would tell more is %s',
    async (outcome) => {
      let kind: 'open' | 'failed' | 'refused' = 'open'
      const { watch, asked, gaps, heard, streams } = watching(() => kind)
      await watch.want(TOOLS)
      kind = outcome
      const more = { ...TOOLS, uris: ['x:1'] }
      // What failed may be told later.
      expect(await watch.want(more)).toEqual(outcome === 'failed' ? more : TOOLS)
      expect(streams.map(({ isClosed }) => isClosed)).toEqual([false])
      streams[0]?.say(CHANGED)
      expect(heard).toEqual([CHANGED])
      kind = 'open'
      await vi.advanceTimersByTimeAsync(outcome === 'failed' ? 1_000 : 5 * MINUTE_MS)
      expect(asked).toEqual([TOOLS, more, more])
      expect(streams.map(({ isClosed }) => isClosed)).toEqual([true, false])
      // Of the rest nothing was missed.
      expect(gaps).toEqual(outcome === 'failed' ? [{ lists: [], uris: ['x:1'] }] : [])
      await watch.want(NOTHING)
    },
  )

  it('finds its way back when what it went on with ends too', async () => {
    let kind: 'open' | 'failed' = 'open'
    const { watch, asked, gaps, streams } = watching(() => kind)
    await watch.want(TOOLS)
    kind = 'failed'
    const more = { ...TOOLS, uris: ['x:1'] }
    await watch.want(more)
    kind = 'open'
    streams[0]?.end()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(asked).toEqual([TOOLS, more, more])
    expect(gaps).toEqual([more])
    await watch.want(NOTHING)
  })

  it('leaves a server that is another one now, although that one cannot be watched', async () => {
    let kind: 'open' | 'failed' = 'open'
    const server = { headers: ['one'] }
    const { watch, streams } = watching(() => kind, server)
    await watch.want(TOOLS)
    kind = 'failed'
    server.headers = ['two']
    watch.look()
    await vi.advanceTimersByTimeAsync(0)
    expect(streams.map(({ isClosed }) => isClosed)).toEqual([true])
    await watch.want(NOTHING)
  })

  // req: list-changed-once
  it('hears once what the old stream and the new one say, and a list is looked at again', async () => {
    const { watch, gaps, heard, streams } = watching(() => 'open')
    await watch.want(TOOLS)
    const updated: Change = { kind: 'resource', uri: 'x:1' }
    for (const change of [CHANGED, updated, updated]) streams[0]?.say(change)
    await watch.want({ ...TOOLS, uris: ['x:1'] })
    for (const change of [CHANGED, updated, updated]) streams[1]?.say(change)
    expect(heard).toEqual([CHANGED, updated, updated])
    expect(gaps).toEqual([TOOLS])
    // What comes now was said once.
    streams[1]?.say(updated)
    streams[1]?.say(CHANGED)
    expect(heard).toEqual([CHANGED, updated, updated, updated, CHANGED])
    await watch.want(NOTHING)
  })

  it('hears as another change what the new stream says later', async () => {
    const { watch, heard, streams } = watching(() => 'open')
    await watch.want(TOOLS)
    streams[0]?.say(CHANGED)
    await watch.want({ ...TOOLS, uris: ['x:1'] })
    await vi.advanceTimersByTimeAsync(251)
    streams[1]?.say(CHANGED)
    expect(heard).toEqual([CHANGED, CHANGED])
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
