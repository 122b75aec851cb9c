import { afterEach, describe, expect, it, vi } from 'vitest'
import { answerStream, type OpenPlan, openStream } from '../../../src/mcp/answer/event-stream.ts'

const OUR_ID = '"up"'
const ANSWER = `data: {"jsonrpc":"2.0","id":${OUR_ID},"result":{}}\n\n`

/** A stream whose events the test sends, and what became of it. */
function start(kind: 'answer' | 'open', more: Partial<OpenPlan> = {}) {
  const ends: string[] = []
  let isReleased = false
  let isCancelled = false
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({
    start(opened) {
      controller = opened
    },
    cancel() {
      isCancelled = true
    },
  })
  const ctx = {
    requestId: 'r',
    facts: {},
    clock: { now: () => Date.now() },
    caller: new AbortController(),
    holdEvent: () => () => {
      isReleased = true
    },
  } as never
  const plan: OpenPlan = {
    inbound: { method: 'tools/call', era: 'legacy' },
    clientId: '"mine"',
    server: 's',
    timeoutMs: 60_000,
    showsTool: 'all',
    showsProgress: () => true,
    mayGoOn: async () => true,
    onEnd: (end) => ends.push(end),
    ...more,
  }
  const response = (kind === 'answer' ? answerStream : openStream)(ctx, plan, body)
  const reader = response.body?.getReader()
  return {
    ends,
    isReleased: () => isReleased,
    isCancelled: () => isCancelled,
    send: (text: string) => controller?.enqueue(new TextEncoder().encode(text)),
    close: () => controller?.close(),
    async read(): Promise<string | undefined> {
      const next = await reader?.read()
      return next?.value === undefined ? undefined : new TextDecoder().decode(next.value)
    },
    cancel: async () => reader?.cancel(),
  }
}

const sealing = { sealEventId: async (id: string) => `sealed-${id}`, takesPriming: true }

afterEach(() => {
  vi.useRealTimers()
})

describe('a stream that a client opened', () => {
  it('shows every 25 seconds that it lives, for as long as it takes', async () => {
    vi.useFakeTimers()
    const stream = start('open')
    for (let times = 0; times < 200; times += 1) {
      const reading = stream.read()
      await vi.advanceTimersByTimeAsync(25_000)
      expect(await reading).toBe(': keep-alive\n\n')
    }
    stream.send('data: {"jsonrpc":"2.0","method":"n/x"}\n\n')
    expect(await stream.read()).toBe('data: {"jsonrpc":"2.0","method":"n/x"}\n\n')
    await stream.cancel()
    expect(stream.ends).toEqual(['cancelled'])
    expect([stream.isCancelled(), stream.isReleased()]).toEqual([true, true])
  })

  it('is not kept open behind the answer that it was resumed for', async () => {
    vi.useFakeTimers()
    const stream = start('open', { upstreamId: OUR_ID })
    stream.send(ANSWER)
    expect(await stream.read()).toContain('"id":"mine"')
    const end = stream.read()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await end).toBeUndefined()
    expect(stream.ends).toEqual(['complete'])
    expect(stream.isCancelled()).toBe(true)
  })

  it('goes on being waited for when it ends without that answer', async () => {
    const stream = start('open', { upstreamId: OUR_ID })
    stream.close()
    expect(await stream.read()).toBeUndefined()
    expect(stream.ends).toEqual(['suspended'])
  })
})

describe('a stream that a client opened and may hear no longer', () => {
  const EVENT = 'data: {"jsonrpc":"2.0","method":"n/x"}\n\n'

  /** A stream whose client is refused when the test says so. */
  function guarded(more: Partial<OpenPlan> = {}) {
    let isAllowed = true
    let asked = 0
    const mayGoOn = async () => {
      asked += 1
      return isAllowed
    }
    const refuse = () => {
      isAllowed = false
    }
    return { ...start('open', { mayGoOn, ...more }), refuse, asked: () => asked }
  }

  it('ends before the next event, of which nothing is written', async () => {
    const stream = guarded()
    stream.send(EVENT)
    expect(await stream.read()).toBe(EVENT)
    stream.refuse()
    const next = stream.read()
    stream.send(EVENT)
    expect(await next).toBeUndefined()
    expect(stream.ends).toEqual(['complete'])
    expect([stream.isCancelled(), stream.isReleased()]).toEqual([true, true])
    expect(stream.asked()).toBe(2)
  })

  it('ends when it would show that it lives', async () => {
    vi.useFakeTimers()
    const stream = guarded()
    stream.refuse()
    const next = stream.read()
    await vi.advanceTimersByTimeAsync(25_000)
    expect(await next).toBeUndefined()
    expect(stream.ends).toEqual(['complete'])
    expect([stream.isCancelled(), stream.isReleased()]).toEqual([true, true])
  })

  it('ends within a large event as well', async () => {
    const stream = guarded()
    stream.send(`data: {"jsonrpc":"2.0","method":"n/x","params":{"a":"${'a'.repeat(300_000)}`)
    expect(await stream.read()).toContain('aaa')
    stream.refuse()
    const next = stream.read()
    stream.send('tail"}}\n\n')
    expect(await next).toBeUndefined()
    expect(stream.isCancelled()).toBe(true)
  })

  it('leaves the answer that it was resumed for to be asked for again', async () => {
    const stream = guarded({ upstreamId: OUR_ID })
    stream.refuse()
    const next = stream.read()
    stream.send(ANSWER)
    expect(await next).toBeUndefined()
    expect(stream.ends).toEqual(['suspended'])
  })
})

describe('a large event of a stream that a client opened', () => {
  const HEAD = `data: {"jsonrpc":"2.0","method":"n/x","params":{"a":"${'a'.repeat(300_000)}`

  it('has nothing written into it while its server pauses', async () => {
    vi.useFakeTimers()
    const stream = start('open')
    stream.send(HEAD)
    let text = (await stream.read()) ?? ''
    const next = stream.read()
    await vi.advanceTimersByTimeAsync(59_999)
    stream.send('"}}\n\n')
    text += await next
    expect(text).toBe(`${HEAD}"}}\n\n`)
    const idle = stream.read()
    await vi.advanceTimersByTimeAsync(25_000)
    expect(await idle).toBe(': keep-alive\n\n')
    await stream.cancel()
  })

  it('is broken when its server is silent for longer than it may be', async () => {
    vi.useFakeTimers()
    const stream = start('open')
    stream.send(HEAD)
    await stream.read()
    const rest = stream.read()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await rest).not.toContain('keep-alive')
    expect(await stream.read()).toBeUndefined()
    expect(stream.ends).toEqual(['faulty'])
    expect([stream.isCancelled(), stream.isReleased()]).toEqual([true, true])
  })
})

describe('a stream that answers', () => {
  it('is not kept open behind its answer', async () => {
    vi.useFakeTimers()
    const stream = start('answer', { upstreamId: OUR_ID })
    stream.send(ANSWER)
    expect(await stream.read()).toContain('"id":"mine"')
    const end = stream.read()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await end).toBeUndefined()
    expect(stream.ends).toEqual(['complete'])
    expect([stream.isCancelled(), stream.isReleased()]).toEqual([true, true])
  })

  it('may end without it when its client can come back', async () => {
    const stream = start('answer', { upstreamId: OUR_ID, ...sealing })
    stream.send('id: 1\nretry: 10\ndata: \n\n')
    stream.close()
    expect(await stream.read()).toContain('id: sealed-1\n')
    expect(await stream.read()).toBeUndefined()
    expect(stream.ends).toEqual(['suspended'])
  })

  it('may not where its client was given nothing to come back with', async () => {
    const stream = start('answer', { upstreamId: OUR_ID, ...sealing, takesPriming: false })
    stream.send('id: 1\nretry: 10\ndata: \n\n')
    stream.close()
    expect(await stream.read()).toContain('"id":"mine","error"')
    expect(await stream.read()).toBeUndefined()
    expect(stream.ends).toEqual(['broken'])
  })
})

describe('a stream that answers slowly', () => {
  it('shows every 25 seconds that it lives, though its server does too', async () => {
    vi.useFakeTimers()
    const stream = start('answer', { upstreamId: OUR_ID })
    for (let times = 0; times < 4; times += 1) {
      const reading = stream.read()
      await vi.advanceTimersByTimeAsync(15_000)
      stream.send(': still here\n\n')
      await vi.advanceTimersByTimeAsync(10_000)
      expect(await reading).toBe(': keep-alive\n\n')
    }
    stream.send(ANSWER)
    expect(await stream.read()).toContain('"id":"mine"')
    await stream.cancel()
  })

  it('shows it also while comments come faster', async () => {
    vi.useFakeTimers()
    for (const kind of ['answer', 'open'] as const) {
      const stream = start(kind, { upstreamId: OUR_ID })
      const reading = stream.read()
      for (let seconds = 0; seconds < 25; seconds += 1) {
        await vi.advanceTimersByTimeAsync(1_000)
        stream.send(': still here\n\n')
      }
      await vi.advanceTimersByTimeAsync(0)
      expect(await reading).toBe(': keep-alive\n\n')
      await stream.cancel()
    }
  })

  it.each([1_000, 25_000, 60_000])(
    'is not broken by silence that the bridge bounds, of a server with %i ms',
    async (timeoutMs) => {
      vi.useFakeTimers()
      const stream = start('answer', { upstreamId: OUR_ID, timeoutMs, isBridged: true })
      for (let times = 0; times < 24; times += 1) {
        const reading = stream.read()
        await vi.advanceTimersByTimeAsync(25_000)
        expect(await reading).toBe(': keep-alive\n\n')
      }
      stream.send(ANSWER)
      expect(await stream.read()).toContain('"id":"mine"')
      await stream.cancel()
    },
  )

  it.each([5_000, 25_000, 60_000])(
    'is broken by %i ms of silence all the same',
    async (timeoutMs) => {
      vi.useFakeTimers()
      const stream = start('answer', { upstreamId: OUR_ID, timeoutMs })
      let text = ''
      const reading = (async () => {
        for (let next = await stream.read(); next !== undefined; next = await stream.read()) {
          text += next
        }
      })()
      await vi.advanceTimersByTimeAsync(timeoutMs - 1)
      expect(stream.ends).toEqual([])
      await vi.advanceTimersByTimeAsync(1)
      await reading
      expect(text).toContain('"id":"mine","error"')
      expect(stream.ends).toEqual(['broken'])
    },
  )
})
