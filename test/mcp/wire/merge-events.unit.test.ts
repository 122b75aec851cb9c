import { afterEach, describe, expect, it, vi } from 'vitest'
import { createEventMerger } from '../../../src/mcp/wire/merge-events.ts'

const encode = (text: string) => new TextEncoder().encode(text)

function controlled() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let cancelled = false
  const stream = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given
    },
    cancel: () => {
      cancelled = true
    },
  })
  return {
    stream,
    write: (text: string) => controller?.enqueue(encode(text)),
    close: () => controller?.close(),
    fail: () => controller?.error(new Error('broken')),
    isCancelled: () => cancelled,
  }
}

/** Lets everything that is ready happen. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0))

function collect(readable: ReadableStream<Uint8Array>) {
  const reader = readable.getReader()
  let text = ''
  const done = (async () => {
    const decoder = new TextDecoder()
    for (;;) {
      const { done: isDone, value } = await reader.read()
      if (isDone) return
      text += decoder.decode(value, { stream: true })
    }
  })()
  return { text: () => text, done, cancel: () => reader.cancel() }
}

afterEach(() => {
  vi.useRealTimers()
})

describe('merged event streams', () => {
  it('let nobody wait for one that dribbles within an event, and leave a slow reader his time', async () => {
    vi.useFakeTimers()
    const merger = createEventMerger(() => undefined)
    const [slow, other] = [controlled(), controlled()]
    const ended = merger.add(slow.stream)
    void merger.add(other.stream)
    slow.write('data: a')
    await vi.advanceTimersByTimeAsync(0)
    other.write('data: b\n\n')
    // Nobody reads: that is no fault of the stream.
    await vi.advanceTimersByTimeAsync(60_000)
    expect(slow.isCancelled()).toBe(false)
    const out = collect(merger.readable)
    for (let seconds = 0; seconds < 22; seconds += 1) {
      await vi.advanceTimersByTimeAsync(1_000)
      if (!slow.isCancelled()) slow.write('a')
    }
    await ended
    expect(slow.isCancelled()).toBe(true)
    expect(out.text()).toMatch(/^data: a{15,}\n\ndata: b\n\n$/)
    await merger.close()
    await out.done
  })

  it('lets no event of one stand inside an event of another', async () => {
    const merger = createEventMerger(() => undefined)
    const out = collect(merger.readable)
    const [one, two] = [controlled(), controlled()]
    void merger.add(one.stream)
    void merger.add(two.stream)
    one.write('data: a')
    await settle()
    two.write('data: b\n\n')
    await settle()
    expect(out.text()).toBe('data: a')
    one.write('a\n')
    one.write('\n')
    await settle()
    expect(out.text()).toBe('data: aa\n\ndata: b\n\n')
    await merger.keepAlive()
    expect(out.text()).toBe('data: aa\n\ndata: b\n\n: keep-alive\n\n')
    await merger.close()
    await out.done
  })

  it('goes on when one stream breaks, even within an event', async () => {
    const merger = createEventMerger(() => undefined)
    const out = collect(merger.readable)
    const [one, two] = [controlled(), controlled()]
    const ended = merger.add(one.stream)
    void merger.add(two.stream)
    one.write('data: half')
    await settle()
    one.fail()
    await ended
    two.write('data: b\n\n')
    await settle()
    expect(out.text()).toBe('data: half\n\ndata: b\n\n')
    await merger.close()
    await out.done
  })

  it('keeps one sign of life for a slow reader, not one for every time', async () => {
    const merger = createEventMerger(() => undefined)
    const one = controlled()
    void merger.add(one.stream)
    one.write('data: a\n\n')
    await settle()
    const waiting = [merger.keepAlive(), merger.keepAlive(), merger.keepAlive()]
    // The others have given up; nobody has read anything yet.
    await Promise.all(waiting.slice(1))
    const out = collect(merger.readable)
    await Promise.all(waiting)
    await merger.keepAlive()
    expect(out.text()).toBe('data: a\n\n: keep-alive\n\n: keep-alive\n\n')
    await merger.close()
    await out.done
  })

  it('takes no stream any more when it has ended', async () => {
    const ends: string[] = []
    const merger = createEventMerger((end) => ends.push(end))
    await merger.close()
    const late = controlled()
    await merger.add(late.stream)
    expect([ends, late.isCancelled()]).toEqual([['closed'], true])
  })

  it('cancels its sources and says so once when nobody reads any more', async () => {
    const ends: string[] = []
    const merger = createEventMerger((end) => ends.push(end))
    const one = controlled()
    void merger.add(one.stream)
    const reader = merger.readable.getReader()
    await reader.cancel()
    one.write('data: a\n\n')
    await settle()
    expect([ends, one.isCancelled()]).toEqual([['cancelled'], true])
    await merger.close()
    expect(ends).toHaveLength(1)
  })
})

describe('a merged stream that nobody reads', () => {
  it('is cut, with every stream in it, and of each one piece was read', async () => {
    vi.useFakeTimers()
    const ends: string[] = []
    const merger = createEventMerger((end) => ends.push(end), 1_000)
    let pulls = 0
    let cancels = 0
    const endless = () =>
      new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            pulls += 1
            controller.enqueue(encode('data: x\n\n'))
          },
          cancel() {
            cancels += 1
          },
        },
        { highWaterMark: 0 },
      )
    const added = Promise.all([merger.add(endless()), merger.add(endless())])
    await vi.advanceTimersByTimeAsync(1_000)
    expect([pulls, ends]).toEqual([2, []])
    await vi.advanceTimersByTimeAsync(250)
    expect([pulls, cancels, ends]).toEqual([2, 2, ['stalled']])
    await added
    await expect(merger.readable.getReader().read()).rejects.toThrow('nobody reads')
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })
})
