import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { UpstreamSession } from '../../../src/mcp/session/session-state.ts'
import {
  createFollowers,
  MAX_OPENING,
  MAX_REOPENED,
  type PartOpening,
} from '../../../src/mcp/shared/followers.ts'
import { createEventMerger } from '../../../src/mcp/wire/merge-events.ts'

const MINUTE_MS = 60_000

const upstream = (path: string) =>
  UpstreamSession.parse({
    server: crypto.randomUUID(),
    path,
    endpoint: crypto.randomUUID(),
    upstreamId: 'u',
    version: '2025-11-25',
  })

/** Followers whose streams the test opens and ends. */
function follow(opens: (path: string) => PartOpening['kind'] | Promise<PartOpening['kind']>) {
  /** When each was asked for. */
  const asked: [path: string, at: number][] = []
  const ends: string[] = []
  let opening = 0
  let mostOpening = 0
  let controllers: ReadableStreamDefaultController<Uint8Array>[] = []
  const startedAt = Date.now()
  const merger = createEventMerger((end) => {
    ends.push(end)
    followers.stop()
  })
  const followers = createFollowers({
    clock: { now: () => Date.now() },
    waitUntil: () => undefined,
    merger,
    async open({ path }) {
      asked.push([path, Date.now() - startedAt])
      opening += 1
      mostOpening = Math.max(mostOpening, opening)
      const kind = await opens(path)
      opening -= 1
      if (kind !== 'open') return { kind }
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          controllers.push(controller)
        },
      })
      return { kind, body }
    },
  })
  return {
    ...followers,
    merger,
    asked,
    ends,
    times: () => asked.map(([, at]) => at),
    mostOpening: () => mostOpening,
    endStreams() {
      for (const controller of controllers) controller.close()
      controllers = []
    },
  }
}

describe('the streams of upstream sessions', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('are asked for again after a failure, more and more rarely, for as long as it takes', async () => {
    const followed = follow(() => 'failed')
    followed.add(upstream('one'))
    await vi.advanceTimersByTimeAsync(30 * MINUTE_MS)
    expect(followed.times().slice(0, 9)).toEqual(
      [0, 5, 15, 35, 75, 155, 315, 615, 915].map((seconds) => seconds * 1_000),
    )
    expect(followed.times()).toHaveLength(11)
    expect(followed.ends).toEqual([])
  })

  it('are opened again at once where they lasted, and later where they did not', async () => {
    const followed = follow(() => 'open')
    followed.add(upstream('one'))
    await vi.advanceTimersByTimeAsync(0)
    for (let times = 0; times < 2; times += 1) {
      followed.endStreams()
      await vi.advanceTimersByTimeAsync(10_000)
    }
    expect(followed.times()).toEqual([0, 5_000, 20_000])
    await vi.advanceTimersByTimeAsync(30_000)
    followed.endStreams()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(followed.times().at(-1)).toBe(55_000)
  })

  it('are asked for no more where they are refused, until their session is opened anew', async () => {
    const followed = follow(() => 'refused')
    const one = upstream('one')
    followed.add(one)
    await vi.advanceTimersByTimeAsync(60 * MINUTE_MS)
    expect(followed.asked).toHaveLength(1)
    followed.add(one)
    expect(followed.asked).toHaveLength(2)
  })

  it('are not waited for when their session is opened anew meanwhile', async () => {
    const followed = follow(() => 'failed')
    const one = upstream('one')
    followed.add(one)
    await vi.advanceTimersByTimeAsync(1_000)
    followed.add(one)
    await vi.advanceTimersByTimeAsync(0)
    expect(followed.times()).toEqual([0, 1_000])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(followed.times()).toEqual([0, 1_000, 11_000])
  })

  it('are followed once each', async () => {
    const followed = follow(() => 'open')
    const one = upstream('one')
    followed.add(one)
    followed.add(one)
    await vi.advanceTimersByTimeAsync(0)
    followed.add(one)
    expect(followed.asked).toHaveLength(1)
  })

  it('are opened four at a time, the first time and every other time', async () => {
    const slowly = () => new Promise<'open'>((resolve) => setTimeout(() => resolve('open'), 10))
    const followed = follow(slowly)
    for (let count = 0; count < 50; count += 1) followed.add(upstream(`s${count}`))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(followed.asked).toHaveLength(50)
    // All upstreams go away together.
    followed.endStreams()
    await vi.advanceTimersByTimeAsync(6_000)
    expect(followed.asked).toHaveLength(100)
    expect(followed.mostOpening()).toBe(MAX_OPENING)
  })

  it('are opened again so often; then the whole ends, for its client to come back', async () => {
    const followed = follow(() => 'failed')
    for (let count = 0; count < 100; count += 1) followed.add(upstream(`s${count}`))
    await vi.advanceTimersByTimeAsync(60 * MINUTE_MS)
    expect(followed.asked).toHaveLength(100 + MAX_REOPENED)
    expect(followed.ends).toEqual(['closed'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('are asked for no more when the whole has ended', async () => {
    const followed = follow(() => 'failed')
    followed.add(upstream('one'))
    await vi.advanceTimersByTimeAsync(1_000)
    await followed.merger.close()
    expect(vi.getTimerCount()).toBe(0)
    followed.add(upstream('two'))
    expect(followed.asked).toHaveLength(1)
  })
})
