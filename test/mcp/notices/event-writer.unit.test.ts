import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createEventWriter } from '../../../src/mcp/notices/event-writer.ts'

const decode = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

describe('a stream of events that we write', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  // req: listen-bounded
  it('is kept alive by a comment every 25 s', async () => {
    const writer = createEventWriter(() => undefined, { keepsAlive: true })
    const reader = writer.readable.getReader()
    const read = async () => decode((await reader.read()).value)
    void writer.write('data: 1\n\n')
    expect(await read()).toBe('data: 1\n\n')
    let isRead = false
    const comment = read().finally(() => {
      isRead = true
    })
    await vi.advanceTimersByTimeAsync(24_999)
    expect(isRead).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await comment).toBe(': keep-alive\n\n')
    void writer.close('data: last\n\n')
    expect(await read()).toBe('data: last\n\n')
    expect((await reader.read()).done).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('holds nothing when its reader has gone, and says so once', async () => {
    const gone = vi.fn()
    const writer = createEventWriter(gone, { keepsAlive: true })
    await writer.readable.cancel()
    await writer.write('data: 1\n\n')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(gone).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is cut when what was written is not read', async () => {
    const gone = vi.fn()
    const writer = createEventWriter(gone, { keepsAlive: true, stallMs: 1_000 })
    void writer.write('data: 1\n\n')
    await vi.advanceTimersByTimeAsync(1_250)
    expect(gone.mock.calls).toEqual([['stalled']])
    await expect(writer.readable.getReader().read()).rejects.toThrow('nobody reads')
    expect(vi.getTimerCount()).toBe(0)
  })
})
