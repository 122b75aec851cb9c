import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  openSource,
  pump,
  type Source,
  type Step,
  type StreamEnd,
} from '../../../src/mcp/wire/pump.ts'
import { readRpcError } from '../../../src/mcp/wire/read-error.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** A body of these chunks; `undefined` breaks it off. */
function bodyOf(chunks: readonly (string | undefined)[]): ReadableStream<Uint8Array> {
  const rest = [...chunks]
  return new ReadableStream({
    pull(controller) {
      if (rest.length === 0) return controller.close()
      const chunk = rest.shift()
      if (chunk === undefined) controller.error(new Error('reset'))
      else controller.enqueue(bytes(chunk))
    },
  })
}

describe('a pumped body', () => {
  function pumped(
    chunks: readonly (string | undefined)[],
    failsAt = -1,
    leaving = new AbortController(),
  ) {
    const ends: StreamEnd[] = []
    const stalls: string[] = []
    let isCancelled = false
    const opened = openSource(bodyOf(chunks), 1_000)
    const source: Source = {
      ...opened,
      async cancel(reason) {
        isCancelled = true
        await opened.cancel(reason)
      },
    }
    let steps = 0
    const stream = pump({
      source,
      signal: leaving.signal,
      async next(): Promise<Step> {
        if (steps === failsAt) throw new Error('ours')
        steps += 1
        const chunk = await source.read()
        if (chunk.kind === 'data') return { bytes: chunk.bytes }
        const none = new Uint8Array(0)
        return chunk.kind === 'complete'
          ? { bytes: none, end: 'complete' }
          : { bytes: none, end: 'broken', breaksOff: true }
      },
      stallMs: 1_000,
      onStall: () => stalls.push('stalled'),
      onEnd: (end) => ends.push(end),
    })
    const leave = () => leaving.abort()
    const listeners = () => getEventListeners(leaving.signal, 'abort').length
    const response = new Response(stream)
    return { response, ends, stalls, isCancelled: () => isCancelled, leave, listeners }
  }

  it('is handed on, and ends once', async () => {
    const { response, ends, isCancelled } = pumped(['a', '', 'b'])
    expect(await response.text()).toBe('ab')
    expect(ends).toEqual(['complete'])
    expect(isCancelled()).toBe(true)
  })

  it('listens for its caller until it ends, however it ends', async () => {
    for (const [chunks, failsAt] of [[['a']], [['a', undefined]], [['a'], 1]] as const) {
      const { response, listeners } = pumped(chunks, failsAt)
      expect(listeners()).toBe(1)
      await response.text().catch(() => undefined)
      expect(listeners()).toBe(0)
    }
  })

  it('ends at once for a caller who has gone already', async () => {
    const gone = new AbortController()
    gone.abort()
    const { ends, isCancelled, listeners } = pumped(['a'], -1, gone)
    expect(ends).toEqual(['cancelled'])
    expect(isCancelled()).toBe(true)
    expect(listeners()).toBe(0)
  })

  it('breaks off where its source does', async () => {
    const { response, ends } = pumped(['a', undefined])
    await expect(response.text()).rejects.toThrow('upstream broke off')
    expect(ends).toEqual(['broken'])
  })

  it('breaks off, and ends, when a step fails', async () => {
    const { response, ends, isCancelled } = pumped(['a', 'b'], 1)
    await expect(response.text()).rejects.toThrow('upstream broke off')
    expect(ends).toEqual(['broken'])
    expect(isCancelled()).toBe(true)
  })

  it('stops its source when its client is gone, though nothing is written', async () => {
    const { ends, isCancelled, leave } = pumped(['a', 'b'])
    leave()
    expect([ends, isCancelled()]).toEqual([['cancelled'], true])
  })

  it('stops its source when its reader leaves', async () => {
    const { response, ends, isCancelled } = pumped(['a', 'b', 'c'])
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    expect(ends).toEqual(['cancelled'])
    expect(isCancelled()).toBe(true)
  })
})

describe('a pumped body that nobody reads', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  /** An endless source; how often it was asked. */
  function endless() {
    const state = { reads: 0, cancelled: 0, ends: [] as StreamEnd[], stalls: 0 }
    const read = async () => {
      state.reads += 1
      return { kind: 'data', bytes: bytes('x') } as const
    }
    const source: Source = {
      read,
      readWithin: read,
      async cancel() {
        state.cancelled += 1
      },
    }
    const stream = pump({
      source,
      signal: new AbortController().signal,
      next: read,
      stallMs: 1_000,
      onStall: () => {
        state.stalls += 1
      },
      onEnd: (end) => state.ends.push(end),
    })
    return { state, reader: stream.getReader() }
  }

  it('is read once, and cut when its time is over', async () => {
    vi.useFakeTimers()
    const { state, reader } = endless()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(state).toMatchObject({ reads: 1, cancelled: 0, ends: [] })
    await vi.advanceTimersByTimeAsync(250)
    expect(state).toEqual({ reads: 1, cancelled: 1, ends: ['cancelled'], stalls: 1 })
    await expect(reader.read()).rejects.toThrow('nobody reads')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not cut as long as it is read now and then', async () => {
    vi.useFakeTimers()
    const { state, reader } = endless()
    for (let times = 0; times < 10; times += 1) {
      await vi.advanceTimersByTimeAsync(900)
      expect((await reader.read()).done).toBe(false)
    }
    expect(state).toMatchObject({ cancelled: 0, ends: [] })
    await reader.cancel()
    expect(state.ends).toEqual(['cancelled'])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a source', () => {
  it('loses nothing that comes after a silence', async () => {
    let push: (text: string) => void = () => undefined
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        push = (text) => controller.enqueue(bytes(text))
      },
    })
    const source = openSource(body, 1_000)
    expect(await source.readWithin(1)).toEqual({ kind: 'silent' })
    push('late')
    expect(await source.read()).toEqual({ kind: 'data', bytes: bytes('late') })
    expect(await openSource(new ReadableStream(), 1).read()).toEqual({ kind: 'broken' })
  })
})

describe('a JSON-RPC error behind a status of failure', () => {
  const read = async (...chunks: (string | undefined)[]) => {
    const whole = await readRpcError(openSource(bodyOf(chunks), 1_000))
    return whole && new TextDecoder().decode(whole)
  }
  const ERROR = '{"jsonrpc":"2.0", "id":null,"error":{"code":-32601,"message":"no","data":1.0}}'

  it('is read whole and as it stands', async () => {
    expect(await read(ERROR.slice(0, 9), ERROR.slice(9))).toBe(ERROR)
  })

  it.each([
    ['a page', '{"detail":"Not Found"}'],
    ['a result', '{"jsonrpc":"2.0","id":1,"result":{}}'],
    ['a text as error', '{"jsonrpc":"2.0","id":1,"error":"no"}'],
    ['no JSON', 'Bad Request'],
    ['nothing', ''],
    ['a book', `{"jsonrpc":"2.0","error":{"data":"${'x'.repeat(70_000)}"}}`],
  ])('is not %s', async (_what, text) => {
    expect(await read(text)).toBeUndefined()
  })

  it('is not what broke off', async () => {
    expect(await read(ERROR, undefined)).toBeUndefined()
  })
})
