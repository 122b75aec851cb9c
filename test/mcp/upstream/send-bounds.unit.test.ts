import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { ServerRecord } from '../../../src/registry/index.ts'
import { A, fault, ok, refused, serverWith, world } from './send-world.ts'

describe('a tenant with as many calls as it may have', () => {
  it('waits until one has ended, with its last byte', async () => {
    const { call, open, sent } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    const first = call(server)
    await sent(1)
    const second = call(server)
    open[0]?.answer(ok())
    const { end } = await first.sent
    expect(open).toHaveLength(1)
    end()
    await sent(2)
    open[1]?.answer(ok())
    expect(await (await second.sent).response.text()).toBe('ok')
  })

  it('gives its place back, and the call its seat, when what follows the headers throws', async () => {
    const recheckTransport = (): never => {
      throw new Error('a bug')
    }
    const { call, open, sent, load, clock } = world({ tenantConcurrent: 1 }, undefined, {
      recheckTransport,
    })
    const server = serverWith({ bulkhead: { maxConcurrent: 1, maxQueued: 0 } }, ['a'])
    const first = call(server)
    await sent(1)
    open[0]?.answer(refused(404))
    await expect(first.sent).rejects.toThrow('a bug')
    expect(load.inFlight(A, clock.at)).toBe(0)
    call(server)
    await sent(2)
  })

  it('gives its place back when a call fails, and when its caller leaves', async () => {
    const { call, open, sent } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    const first = call(server)
    await sent(1)
    open[0]?.answer(fault('network'))
    await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
    const second = call(server)
    await sent(2)
    second.leave()
    await expect(second.sent).rejects.toMatchObject({ code: 'upstream_failed' })
    call(server)
    await sent(3)
  })

  it('does not hold up messages that nothing answers, nor streams, nor other tenants', async () => {
    const { call, sent } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    call(server)
    await sent(1)
    const { isJudged: _isJudged, ...message } = { isJudged: undefined, body: 'a cancel' }
    call(server, { ...message, isJudged: undefined as never })
    await sent(2)
    call(server, { method: 'GET', isJudged: undefined as never })
    await sent(3)
    call({ ...server, tenant: 'other' } as ServerRecord)
    await sent(4)
  })

  it('lets a waiting caller go who leaves', async () => {
    const { call, open, sent, learned } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    call(server)
    await sent(1)
    const second = call(server)
    second.leave()
    await expect(second.sent).rejects.toMatchObject({
      code: 'no_capacity',
      detail: { headers: { 'retry-after': '1' }, data: { retryAfterSeconds: 1 } },
    })
    expect(open).toHaveLength(1)
    expect(learned).toEqual([])
  })
})

describe('what is under way', () => {
  it('is counted until the end of the answer, and streams are not', async () => {
    const { call, open, load, clock, sent } = world()
    const server = serverWith({}, ['a'])
    const first = call(server)
    call(server, { method: 'GET', isJudged: undefined as never })
    await sent(2)
    expect(load.inFlight(A, clock.at)).toBe(1)
    clock.at += 7
    open[0]?.answer(ok())
    const { end } = await first.sent
    expect(load.inFlight(A, clock.at)).toBe(1)
    end()
    end()
    expect(load.inFlight(A, clock.at)).toBe(0)
    expect(load.latencyMs(A, clock.at)).toBe(7)
  })
})

describe('a deadline', () => {
  it('ends a call that has no headers: timeout, the upstream aborted, its breaker told', async () => {
    const { call, open, learned, load, clock } = world()
    const { sent } = call(serverWith({}, ['a']), { deadline: { ms: 5 } })
    await expect(sent).rejects.toMatchObject({
      code: 'upstream_timeout',
      message: 'The server "shop" did not finish within 5 ms.',
    })
    expect(open[0]?.signal.aborted).toBe(true)
    expect(learned).toEqual(['1 failure'])
    expect(load.inFlight(A, clock.at)).toBe(0)
  })

  it('cuts off an answer that began in time', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { call, open } = world()
    const first = call(serverWith({}, ['a']), { deadline: { ms: 30 } })
    await vi.advanceTimersByTimeAsync(29)
    const body = new ReadableStream({ start: (out) => out.enqueue(new Uint8Array([1])) })
    open[0]?.answer({ kind: 'response', response: new Response(body) })
    const { response, lateAfterMs } = await first.sent
    expect(lateAfterMs?.()).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await expect(response.arrayBuffer()).rejects.toThrow()
    expect(lateAfterMs?.()).toBe(30)
  })

  it('is not outlasted by the pause before a retry', async () => {
    const { call, open, sent, clock } = world()
    const first = call(serverWith({}, ['a']), { deadline: { ms: 60_000 }, canRetry: true })
    await sent(1)
    clock.at += 59_500
    open[0]?.answer(refused(503, { 'retry-after': '1' }))
    expect((await first.sent).response.status).toBe(503)
    expect(open).toHaveLength(1)
  })

  it('blames nobody for a caller who leaves', async () => {
    const { call, learned, sent } = world()
    const first = call(serverWith({}, ['a']), { deadline: { ms: 60_000 } })
    await sent(1)
    first.leave()
    await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
    expect(learned).toEqual(['1 abandoned'])
  })
})
