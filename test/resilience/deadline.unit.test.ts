import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { type CallDeadline, cutOff, runDeadline } from '../../src/resilience/index.ts'

const T = 1_000_000
const caller = () => new AbortController()

describe('a deadline', () => {
  it('runs from the first sending, however often the call is sent', () => {
    const deadline: CallDeadline = { ms: 10_000 }
    const first = runDeadline(deadline, caller().signal, T)
    first.end()
    const second = runDeadline(deadline, caller().signal, T + 4_000)
    expect(second.leftMs(T + 4_000)).toBe(6_000)
    expect(second.leftMs(T + 20_000)).toBe(0)
    second.end()
  })

  it('aborts when its time is over, and says so', async () => {
    const running = runDeadline({ ms: 1 }, caller().signal, T)
    expect(running.isPassed()).toBe(false)
    await expect.poll(() => running.signal.aborted).toBe(true)
    expect(running.isPassed()).toBe(true)
  })

  it('is not passed when its caller leaves, though its signal is aborted', () => {
    const leaving = caller()
    const running = runDeadline({ ms: 60_000 }, leaving.signal, T)
    leaving.abort()
    expect(running.signal.aborted).toBe(true)
    expect(running.isPassed()).toBe(false)
    running.end()
  })
})

describe('a body that may be cut off', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  function source() {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined
    let reason: unknown
    const body = new ReadableStream<Uint8Array>({
      start: (given) => {
        controller = given
      },
      cancel: (why) => {
        reason = why
      },
    })
    const write = (text: string) => controller?.enqueue(bytes(text))
    return { body, write, close: () => controller?.close(), reason: () => reason }
  }

  it('passes through whole', async () => {
    const { body, write, close } = source()
    write('one ')
    write('two')
    close()
    expect(await new Response(cutOff(body, caller().signal)).text()).toBe('one two')
  })

  it('breaks off when the signal is aborted, and closes what it comes from', async () => {
    const cutting = caller()
    const { body, write, reason } = source()
    const reader = cutOff(body, cutting.signal).getReader()
    write('one')
    expect((await reader.read()).value).toEqual(bytes('one'))
    const next = reader.read()
    cutting.abort(new Error('too late'))
    await expect(next).rejects.toThrow('too late')
    expect(reason()).toMatchObject({ message: 'too late' })
  })

  it('is cut at once when the time was over before', async () => {
    const { body } = source()
    await expect(new Response(cutOff(body, AbortSignal.abort())).text()).rejects.toThrow()
  })

  it('listens no more once what it comes from broke off', async () => {
    const listening = caller()
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error('reset')),
    })
    const reader = cutOff(broken, listening.signal).getReader()
    await expect(reader.read()).rejects.toThrow('reset')
    expect(getEventListeners(listening.signal, 'abort')).toHaveLength(0)
  })

  it('closes what it comes from when its reader leaves', async () => {
    const { body, reason } = source()
    await cutOff(body, caller().signal).cancel('enough')
    expect(reason()).toBe('enough')
  })
})
