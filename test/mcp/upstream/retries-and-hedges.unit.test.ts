import { describe, expect, it } from 'vitest'
import type { UpstreamCall } from '../../../src/mcp/upstream/send.ts'
import type { ServerRecord } from '../../../src/registry/index.ts'
import { A, B, fault, ok, refused, serverWith, world } from './send-world.ts'

describe('a retry', () => {
  it.each([
    [1, 1],
    [3, 3],
  ])('is made until %i attempts were made', async (maxAttempts, attempts) => {
    const { call, open, sent } = world()
    const server = serverWith({ retries: { maxAttempts } }, ['a'])
    const first = call(server, { canRetry: true })
    for (let count = 1; count <= attempts; count += 1) {
      await sent(count)
      open[count - 1]?.answer(fault('network'))
    }
    await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
    expect(open).toHaveLength(attempts)
  })

  it.each([{ budgetPercent: 0 }, { budgetPercent: 1 }])(
    'is paid by the budget of its server alone (%o)',
    async (retries) => {
      const { call, open } = world()
      const fail = async (server: ServerRecord) => {
        const before = open.length
        const first = call(server, { canRetry: true })
        for (let at = before; at < before + 2; at += 1) {
          await Promise.race([expect.poll(() => open.length).toBe(at + 1), first.sent]).catch(
            () => undefined,
          )
          open[at]?.answer(fault('network'))
        }
        await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
        return open.length - before
      }
      const server = serverWith({ retries }, ['a'])
      const attempts: number[] = []
      for (let count = 0; count < 7; count += 1) attempts.push(await fail(server))
      const floor = retries.budgetPercent === 0 ? 0 : 5
      expect(attempts.filter((made) => made === 2)).toHaveLength(floor)
      expect(await fail(serverWith({}, ['a'], 'other'))).toBe(2)
      // The record was loaded anew: its budget is the same.
      expect(await fail(serverWith({ retries }, ['a']))).toBe(1)
    },
  )

  it('waits for as long as a 503 asks, where there is nobody else, and not for long', async () => {
    const { call, open, sent } = world()
    const server = serverWith({}, ['a'])
    const patient = call(server, { canRetry: true })
    await sent(1)
    open[0]?.answer(refused(503, { 'retry-after': '60' }))
    expect((await patient.sent).response.status).toBe(503)
    expect(open).toHaveLength(1)

    const elsewhere = call(serverWith({}, ['a', 'b'], 'two'), { canRetry: true })
    await sent(2)
    open[1]?.answer(refused(503, { 'retry-after': '60' }))
    await sent(3)
    open[2]?.answer(ok())
    expect((await elsewhere.sent).response.status).toBe(200)
    expect(open[2]?.host).not.toBe(open[1]?.host)
  })

  it('keeps nothing of the failed attempt while it pauses', async () => {
    const { call, open, sent, load, clock, behind } = world()
    const bulkhead = { maxConcurrent: 1, maxQueued: 0 }
    const server = serverWith({ bulkhead }, ['a'])
    let isCancelled = false
    const body = new ReadableStream({
      cancel() {
        isCancelled = true
      },
    })
    const first = call(server, { canRetry: true })
    await sent(1)
    const response = new Response(body, { status: 503, headers: { 'retry-after': '2' } })
    open[0]?.answer({ kind: 'response', response })
    await expect.poll(() => load.inFlight(A, clock.at), { interval: 1 }).toBe(0)
    await Promise.all(behind)
    expect(isCancelled).toBe(true)
    // The seat is free for somebody else.
    call(server)
    await sent(2)
    first.leave()
    await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
  })

  it('is not waited for by a caller who leaves: its tenant has the room at once', async () => {
    const { call, open, sent, behind } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    const first = call(server, { canRetry: true })
    await sent(1)
    open[0]?.answer(refused(503, { 'retry-after': '2' }))
    await expect.poll(() => behind.length, { interval: 1 }).toBe(1)
    const second = call(server)
    first.leave()
    await sent(2)
    expect(open).toHaveLength(2)
    open[1]?.answer(ok())
    expect((await second.sent).response.status).toBe(200)
  })

  it.each([501, 429, 404])('is not made for HTTP %i, which is no failure', async (status) => {
    const { call, open, sent, learned } = world()
    const first = call(serverWith({}, ['a']), { canRetry: true })
    await sent(1)
    open[0]?.answer(refused(status))
    expect((await first.sent).response.status).toBe(status)
    expect(open).toHaveLength(1)
    expect(learned).toEqual(['1 success'])
  })
})

describe('a hedged read', () => {
  const hedged = { hedgeAfterMs: 10 }

  it('is sent to another endpoint as well, and the loser is no failure', async () => {
    const { call, open, learned, behind, load, clock, sent } = world()
    const first = call(serverWith(hedged), { canRetry: true })
    await sent(2)
    const [slow, fast] = open
    expect(slow?.host).not.toBe(fast?.host)
    fast?.answer(ok('second'))
    const { response, endpoint, end } = await first.sent
    expect(await response.text()).toBe('second')
    await Promise.all(behind)
    expect(slow?.signal.aborted).toBe(true)
    const loser = endpoint.id === A ? B : A
    expect(learned).toEqual([`${loser.slice(-1)} abandoned`])
    expect(first.ctx.facts).toMatchObject({ endpoint: endpoint.id, attempts: 2 })
    expect(load.inFlight(loser, clock.at)).toBe(0)
    expect(load.inFlight(endpoint.id, clock.at)).toBe(1)
    end()
    expect(load.inFlight(endpoint.id, clock.at)).toBe(0)
  })

  it('cancels the body of an answer that came second', async () => {
    const { call, open, behind, sent } = world()
    const first = call(serverWith(hedged), { canRetry: true })
    await sent(2)
    let isCancelled = false
    const body = new ReadableStream({
      cancel() {
        isCancelled = true
      },
    })
    open[0]?.answer(ok('first'))
    open[1]?.answer({ kind: 'response', response: new Response(body) })
    expect(await (await first.sent).response.text()).toBe('first')
    await Promise.all(behind)
    expect(isCancelled).toBe(true)
  })

  it.each<[string, ServerRecord, Partial<UpstreamCall>]>([
    ['what must not run twice', serverWith(hedged), { canRetry: false }],
    ['what is bound to an endpoint', serverWith(hedged), { canRetry: true, pinned: A }],
    ['a server of one endpoint', serverWith(hedged, ['a']), { canRetry: true }],
    ['a stream', serverWith(hedged), { canRetry: true, method: 'GET' }],
    [
      'a server without budget',
      serverWith({ ...hedged, retries: { budgetPercent: 0 } }, ['a', 'b'], 'poor'),
      { canRetry: true },
    ],
  ])('is never %s', async (_what, server, part) => {
    const { call, open, sent } = world()
    const first = call(server, part)
    await sent(1)
    // It began later: when it was hedged, the first had had its chance.
    call(serverWith(hedged, ['c', 'd'], 'control'), { canRetry: true })
    await sent(3)
    open[0]?.answer(ok())
    await first.sent
    expect(open.filter(({ host }) => host === 'a' || host === 'b')).toHaveLength(1)
  })

  it('is not sent where the other endpoint fails', async () => {
    const { call, open, openBreakers, peeked } = world()
    openBreakers.add(B)
    call(serverWith({ hedgeAfterMs: 1 }), { canRetry: true })
    // Once to choose the first endpoint, once to look for another one.
    await expect.poll(() => peeked.filter((id) => id === B), { interval: 1 }).toHaveLength(2)
    expect(open.map(({ host }) => host)).toEqual(['a'])
  })
})
