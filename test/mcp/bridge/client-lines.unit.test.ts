import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CallContext } from '../../../src/core/index.ts'
import { createClientLines } from '../../../src/mcp/bridge/client-lines.ts'

const CALL = '00000000-0000-4000-8000-000000000001'

/** A session's object whose channels the test can break. */
function session() {
  const channels: { name: string; socket: EventTarget & { close(): void } }[] = []
  let isThere = true
  const object = {
    async fetch(url: string) {
      const socket = Object.assign(new EventTarget(), {
        accept: () => undefined,
        close: () => undefined,
      })
      if (isThere) channels.push({ name: new URL(url).pathname.slice(1), socket })
      return { webSocket: isThere ? socket : null } as never
    },
    async tell(name: string, text: string) {
      const heard = channels.filter((one) => one.name === name)
      for (const { socket } of heard)
        socket.dispatchEvent(new MessageEvent('message', { data: text }))
      return heard.length > 0
    },
  }
  return {
    object,
    opened: () => channels.length,
    /** Closes every channel. */
    close(reason: string) {
      for (const { socket } of channels.splice(0)) {
        socket.dispatchEvent(Object.assign(new Event('close'), { reason }))
      }
    },
    end() {
      isThere = false
    },
  }
}

function openLine(of: ReturnType<typeof session>) {
  const lines = createClientLines({ object: () => of.object })
  const ctx = { waitUntil: () => undefined } as unknown as CallContext
  return { lines, line: lines.open(ctx, 'key', CALL) }
}

const answerOf = (id: string, n = 1) => JSON.stringify({ jsonrpc: '2.0', id, result: { n } })

describe('the line to a legacy client', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is not waited for without end where its object does not answer', async () => {
    const object = { fetch: () => new Promise<never>(() => undefined), tell: async () => true }
    const ctx = { waitUntil: () => undefined } as unknown as CallContext
    const line = createClientLines({ object: () => object }).open(ctx, 'key', CALL)
    const listening = line.listen()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await listening).toBe(false)
  })

  it('brings the first answer to what was asked, and nothing that was not', async () => {
    const { lines, line } = openLine(session())
    expect(await line.listen()).toBe(true)
    const id = line.nextId()
    expect(id).toBe(`${CALL}.1`)
    await lines.answer('key', `${CALL}.2`, answerOf(`${CALL}.2`))
    await lines.answer('key', id, answerOf(id))
    await lines.answer('key', id, answerOf(id, 2))
    expect(await line.answerTo(id, 1_000)).toBe(answerOf(id))
    const late = line.answerTo(`${CALL}.2`, 1_000)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await late).toBeUndefined()
  })

  it('knows ids of its own alone', async () => {
    const { lines } = openLine(session())
    for (const id of [7, 'x', `${CALL}`, `${CALL}.x`, null]) {
      expect(await lines.answer('key', id, '{}')).toBe(false)
    }
  })

  it('listens by itself when a call takes long, and hears that it is cancelled', async () => {
    const of = session()
    const { lines, line } = openLine(of)
    expect(of.opened()).toBe(0)
    const cancelling = lines.cancel('key', CALL)
    await vi.advanceTimersByTimeAsync(1_000)
    await cancelling
    expect(of.opened()).toBe(1)
    expect(line.cancelled.aborted).toBe(true)
  })

  it('listens anew when the channel breaks, which cancels nothing', async () => {
    const of = session()
    const { lines, line } = openLine(of)
    await line.listen()
    const id = line.nextId()
    of.close('')
    const telling = lines.answer('key', id, answerOf(id))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await telling).toBe(true)
    expect(await line.answerTo(id, 1)).toBe(answerOf(id))
    expect(line.cancelled.aborted).toBe(false)
  })

  it('is cancelled with its session, also one that ended unheard', async () => {
    const of = session()
    const { line } = openLine(of)
    await line.listen()
    of.close('ended')
    expect(line.cancelled.aborted).toBe(true)
    const gone = session()
    gone.end()
    const late = openLine(gone)
    expect(await late.line.listen()).toBe(false)
    expect(late.line.cancelled.aborted).toBe(true)
  })

  it('hears nothing more when its call is over', async () => {
    const of = session()
    const { line } = openLine(of)
    line.close()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(of.opened()).toBe(0)
    expect(line.cancelled.aborted).toBe(false)
  })
})
