import { describe, expect, it } from 'vitest'
import { createParkedCall } from '../../../src/mcp/bridge/parked-call.ts'
import type { Heard, Messages } from '../../../src/mcp/wire/read-messages.ts'

const TIMEOUT_MS = 1_000

/** A call whose server speaks, falls silent and breaks off when the test says so. */
function held(post: (text: string) => Promise<boolean> = async () => true) {
  let now = 0
  let hear: (heard: Heard) => void = () => undefined
  const waits: number[] = []
  const posted: string[] = []
  let left = 0
  const messages: Messages = {
    position: () => ({}),
    next: (timeoutMs) => {
      waits.push(timeoutMs)
      return new Promise((resolve) => {
        hear = resolve
      })
    },
    cancel: async () => hear({ kind: 'end' }),
  }
  const call = createParkedCall({
    ...{ callId: 'x', upstreamId: '"up"', timeoutMs: TIMEOUT_MS, state: 's', messages },
    view: { method: 'tools/call', serverInfo: {}, capabilities: { elicitation: {} } },
    clock: { now: () => now },
    post: (text) => {
      posted.push(text)
      return post(text)
    },
    onParked: () => undefined,
    onLeft: () => {
      left += 1
    },
  })
  const say = async (heard: Heard) => {
    hear(heard)
    await settle()
  }
  return {
    call,
    posted,
    waits,
    left: () => left,
    pass: (ms: number) => {
      now += ms
    },
    fallSilent: () => say({ kind: 'silent' }),
    breakOff: () => say({ kind: 'broken' }),
    tell: (message: object) => {
      const whole = { jsonrpc: '2.0', ...message }
      return say({ kind: 'message', text: JSON.stringify(whole), message: whole })
    },
  }
}

/** Lets everything run that waits for nothing. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}

const ask = (id: number) => ({ id, method: 'elicitation/create', params: { message: `q${id}` } })
const answers = (...keys: string[]) =>
  JSON.stringify(Object.fromEntries(keys.map((key) => [key, { action: 'accept' }])))
const read = (stream: ReadableStream<Uint8Array>) => new Response(stream).text()

describe('a parked call', () => {
  it('gives its server the whole of its time after the client has answered', async () => {
    const { call, pass, fallSilent, tell, posted } = held()
    const running = call.run()
    await settle()
    await tell(ask(1))
    await read(call.events)
    // The wait began while it was parked, and ends a moment after it was resumed.
    pass(900)
    const rest = await call.resume(answers('request-1'), '"next"')
    pass(100)
    await fallSilent()
    await tell({ id: 'up', result: { content: [] } })
    expect(await read(rest)).toContain('"id":"next"')
    await running
    expect(posted.some((text) => text.includes('cancelled'))).toBe(false)
  })

  it('is cancelled at a server that says nothing for longer than its time', async () => {
    const { call, pass, fallSilent, posted } = held()
    const running = call.run()
    await settle()
    pass(TIMEOUT_MS)
    await fallSilent()
    await running
    expect(await read(call.events)).toBe('')
    expect(JSON.parse(posted.at(-1) ?? '')).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: 'up' },
    })
  })

  it('asks nothing again that was answered, however slowly the server takes the answers', async () => {
    let release: () => void = () => undefined
    const slow = new Promise<void>((resolve) => {
      release = resolve
    })
    const { call, tell } = held(async () => {
      await slow
      return true
    })
    void call.run()
    await settle()
    await tell(ask(1))
    await tell(ask(2))
    expect(await read(call.events)).toContain('request-2')
    const resuming = call.resume(answers('request-1', 'request-2'), '"next"')
    await tell(ask(3))
    release()
    const second = await read(await resuming)
    expect(second).toContain('q3')
    expect(second).not.toContain('q2')
    await call.stop()
  })

  it('is over when its server does not take an answer', async () => {
    const { call, tell } = held(async () => false)
    const running = call.run()
    await settle()
    await tell(ask(1))
    await read(call.events)
    expect(await read(await call.resume(answers('request-1'), '"next"'))).toBe('')
    await call.stop()
    await running
  })

  it('tells when its reader goes away', async () => {
    const { call, left } = held()
    await call.events.cancel()
    expect(left()).toBe(1)
  })
})
