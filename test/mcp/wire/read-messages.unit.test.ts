import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Heard, openMessages } from '../../../src/mcp/wire/read-messages.ts'

const EVENTS = 'text/event-stream; charset=utf-8'

function bodyOf(...chunks: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
      controller.close()
    },
  })
}

async function all(body: ReadableStream<Uint8Array>, type: string | null, maxBytes = 1_000) {
  const messages = openMessages(body, type, maxBytes)
  const heard: Heard[] = []
  for (;;) {
    const next = await messages.next(1_000)
    heard.push(next)
    if (next.kind !== 'message') return heard
  }
}

describe('the messages of a body', () => {
  it('are the one of a JSON body, as it stands', async () => {
    const text = ' {"id": 1e2}\n'
    expect(await all(bodyOf(text.slice(0, 4), text.slice(4)), 'application/json')).toEqual([
      { kind: 'message', text, message: { id: 100 } },
      { kind: 'end' },
    ])
  })

  it('are those of a stream, of a batch each by itself, and of no other type of event', async () => {
    const stream = [
      ': hello\n\ndata: {"a":1}\n\n',
      'event: message\ndata: [ {"b": 2} , [],"x"]\n\n',
      'event: endpoint\ndata: {"c":3}\n\nid: 7\ndata:\n\n',
      'data: {"d"',
      ':4}\n\ndata: {not json\n\n',
    ]
    const heard = await all(bodyOf(...stream), EVENTS)
    expect(heard.map((one) => (one.kind === 'message' ? one.text : one.kind))).toEqual([
      ...['{"a":1}', '{"b": 2}', '[]', '"x"', '{"d":4}', '{not json', 'end'],
    ])
    expect(heard.at(-2)).toMatchObject({ message: undefined })
  })

  it.each(['[}', '[1,}', '{"a":}', '[', '"', '[[[['])(
    'end with what is no JSON: %s',
    async (text) => {
      const heard = await all(bodyOf(`data: ${text}\n\n`), EVENTS)
      expect(heard).toEqual([{ kind: 'message', text, message: undefined }, { kind: 'end' }])
    },
  )

  it('may be of a bounded size', async () => {
    expect(await all(bodyOf(`data: "${'x'.repeat(2_000)}`), EVENTS)).toEqual([
      { kind: 'too_large' },
    ])
    expect(await all(bodyOf('x'.repeat(2_000)), 'application/json')).toEqual([
      { kind: 'too_large' },
    ])
    const small = Array.from({ length: 10 }, () => `data: "${'x'.repeat(500)}"\n\n`)
    expect(await all(bodyOf(...small), EVENTS)).toHaveLength(11)
  })

  it('end when the body breaks, and say when nothing comes', async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error('gone'))
      },
    })
    expect(await all(broken, EVENTS)).toEqual([{ kind: 'broken' }])
    let isCancelled = false
    const mute = new ReadableStream<Uint8Array>({
      cancel() {
        isCancelled = true
      },
    })
    const messages = openMessages(mute, EVENTS, 100)
    expect(await messages.next(1)).toEqual({ kind: 'silent' })
    await messages.cancel()
    expect(isCancelled).toBe(true)
  })
})

describe('a message that drips', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Writes a piece each second, for ever. */
  function dripping(first: string, piece: string) {
    let isCancelled = false
    let timer: ReturnType<typeof setInterval> | undefined
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const write = (text: string) => controller.enqueue(new TextEncoder().encode(text))
        write(first)
        timer = setInterval(() => write(piece), 1_000)
      },
      cancel() {
        isCancelled = true
        clearInterval(timer)
      },
    })
    return { body, isCancelled: () => isCancelled }
  }

  it.each([
    ['in a stream', EVENTS, 'data: {"a":"'],
    ['in a body', 'application/json', '{"a":"'],
  ])('%s is waited for a minute, though it is never silent', async (_where, type, first) => {
    vi.useFakeTimers()
    const { body, isCancelled } = dripping(first, 'x')
    const heard = openMessages(body, type, 1_000).next(30_000)
    await vi.advanceTimersByTimeAsync(59_000)
    expect(isCancelled()).toBe(false)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await heard).toEqual({ kind: 'broken' })
    expect(isCancelled()).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is none that only comments come before', async () => {
    vi.useFakeTimers()
    const { body } = dripping(': a\n\n', ': b\n\n')
    const messages = openMessages(body, EVENTS, 10_000)
    const heard = messages.next(30_000)
    await vi.advanceTimersByTimeAsync(200_000)
    await messages.cancel()
    expect(await heard).toEqual({ kind: 'end' })
    expect(vi.getTimerCount()).toBe(0)
  })
})
