import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createDeadline } from '../../src/core/index.ts'
import { requestText } from '../../src/http/index.ts'

const BOUNDS = { maxBytes: 10, timeoutMs: 1_000 }

/** A body of spaces: so many at once, or one each 100 ms. */
function bodyOf(pieces: number, size: number, everyMs?: number) {
  const state = { read: 0, isCancelled: false }
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (everyMs) await new Promise((resolve) => setTimeout(resolve, everyMs))
        if (state.read === pieces) return controller.close()
        state.read += 1
        controller.enqueue(new Uint8Array(size).fill(0x20))
      },
      cancel() {
        state.isCancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { state, body }
}

function posted(body: ReadableStream<Uint8Array> | null, length?: number): Request {
  const headers = length === undefined ? {} : { 'content-length': String(length) }
  const init = { method: 'POST', headers, body, duplex: 'half' }
  return new Request('https://gate.example/', init as RequestInit)
}

describe('the body of a request', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is UTF-8, of known size or not, and anything else leaves no timer', async () => {
    for (const length of [undefined, 1]) {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new Uint8Array([0xff]))
          controller.close()
        },
      })
      const deadline = createDeadline(1_000)
      const text = requestText(posted(body, length), BOUNDS, deadline)
      await expect(text).rejects.toMatchObject({ code: 'parse_error' })
      expect(vi.getTimerCount()).toBe(0)
    }
  })

  it('is its text, and leaves no timer', async () => {
    expect(await requestText(posted(null), BOUNDS)).toBe('')
    for (const length of [undefined, 10]) {
      const { body } = bodyOf(2, 5)
      expect(await requestText(posted(body, length), BOUNDS)).toBe(' '.repeat(10))
    }
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each(['-1', '1e3', 'abc', '', '5,5', '16'])('goes by no length such as %j', async (length) => {
    const { body } = bodyOf(3, 5)
    const request = posted(body)
    request.headers.set('content-length', length)
    await expect(requestText(request, BOUNDS)).rejects.toMatchObject({ code: 'body_too_large' })
  })

  it.each([undefined, 10])(
    'is waited for so long, however it drips (length %s)',
    async (length) => {
      const { body } = bodyOf(100, 1, 300)
      const text = requestText(posted(body, length), { maxBytes: 100, timeoutMs: 1_000 })
      const refused = expect(text).rejects.toMatchObject({
        code: 'body_timeout',
        message: 'The body did not arrive within 1000 ms.',
      })
      await vi.advanceTimersByTimeAsync(1_000)
      await refused
    },
  )

  it('is read to its end when it is too large, and then refused', async () => {
    for (const length of [undefined, 5_000]) {
      const { body, state } = bodyOf(50, 100)
      const text = requestText(posted(body, length), BOUNDS)
      await expect(text).rejects.toMatchObject({ code: 'body_too_large' })
      expect(state).toEqual({ read: 50, isCancelled: false })
    }
  })

  it('is left after 128 MiB, and after 5 s', async () => {
    const huge = bodyOf(Number.POSITIVE_INFINITY, 8 * 1024 * 1024)
    const long = requestText(posted(huge.body), BOUNDS)
    await expect(long).rejects.toMatchObject({ code: 'body_too_large' })
    expect(huge.state).toEqual({ read: 17, isCancelled: true })

    const slow = bodyOf(Number.POSITIVE_INFINITY, 100, 100)
    const bounds = { ...BOUNDS, timeoutMs: 60_000 }
    const text = requestText(posted(slow.body), bounds)
    const refused = expect(text).rejects.toMatchObject({ code: 'body_too_large' })
    await vi.advanceTimersByTimeAsync(5_200)
    await refused
    expect(slow.state.isCancelled).toBe(true)
    expect(slow.state.read).toBeLessThan(55)
  })
})
