import { describe, expect, it } from 'vitest'
import { createSendPolicies, DEFAULT_SENDING } from '../../../src/mcp/upstream/send-policy.ts'
import { A, B, fault, ok, serverWith, world } from './send-world.ts'

describe('an endpoint with as many calls as it may have', () => {
  const bulkhead = { maxConcurrent: 1, maxQueued: 2, queueMs: 60_000 }

  it('is passed over while another one has room, and then waited for', async () => {
    const { call, open, sent } = world()
    const server = serverWith({ bulkhead })
    call(server)
    call(server)
    await sent(2)
    expect(new Set(open.map(({ host }) => host))).toEqual(new Set(['a', 'b']))
    const third = call(server)
    const b = open.find(({ host }) => host === 'b')
    b?.answer(fault('network'))
    await sent(3)
    expect(open[2]?.host).toBe('b')
    open[2]?.answer(ok())
    await third.sent
  })

  it('keeps calls of a session waiting for their own endpoint', async () => {
    const { call, open, sent } = world()
    const server = serverWith({ bulkhead })
    const first = call(server, { pinned: A })
    await sent(1)
    call(server, { pinned: A })
    open[0]?.answer(ok())
    const { end } = await first.sent
    expect(open).toHaveLength(1)
    end()
    await sent(2)
    expect(open[1]?.host).toBe('a')
  })

  it('refuses with 503 who would wait behind too many, and its breaker hears nothing', async () => {
    const { call, sent, learned } = world()
    const server = serverWith({ bulkhead: { ...bulkhead, maxQueued: 0 } }, ['a'])
    call(server)
    await sent(1)
    await expect(call(server).sent).rejects.toMatchObject({
      code: 'no_capacity',
      message: 'The server "shop" has as many calls as it may have at once.',
    })
    expect(learned).toEqual([])
  })

  it('refuses who has waited long enough', async () => {
    const { call, sent } = world()
    const server = serverWith({ bulkhead: { ...bulkhead, queueMs: 1 } }, ['a'])
    call(server)
    await sent(1)
    await expect(call(server).sent).rejects.toMatchObject({ code: 'no_capacity' })
  })

  it('counts what the other isolates have told of', async () => {
    const { call, load, sent, open } = world()
    const server = serverWith({ bulkhead: { maxConcurrent: 2, maxQueued: 2, queueMs: 1 } })
    load.begin({} as never, A)
    for (const pinned of [A, B]) call(server, { pinned })
    await sent(2)
    call(server)
    await sent(3)
    expect(open.map(({ host }) => host)).toEqual(['a', 'b', 'b'])
    await expect(call(server).sent).rejects.toMatchObject({ code: 'no_capacity' })
  })

  it('is used again by the next call after those have left who had filled it elsewhere', async () => {
    const others = { inFlight: 0 }
    const { call, open, sent, clock, behind } = world({}, others)
    const server = serverWith({ bulkhead: { ...bulkhead, maxConcurrent: 3 } }, ['a'])
    others.inFlight = 2
    call(server)
    await sent(1)
    // The second hears of the others, and the third is kept out by them.
    call(server)
    await sent(2)
    await Promise.all(behind.splice(0))
    clock.at += 1_000
    const third = call(server)
    await expect.poll(() => behind.length).toBeGreaterThan(0)
    await Promise.all(behind.splice(0))
    expect(open).toHaveLength(2)
    others.inFlight = 0
    clock.at += 1_000
    // It asks again, and who waited before it is let in.
    call(server)
    await sent(3)
    open[2]?.answer(ok())
    expect((await third.sent).response.status).toBe(200)
    expect(open).toHaveLength(3)
  })

  it('says that the server fails, where every breaker is open', async () => {
    const { call, openBreakers } = world()
    openBreakers.add(A).add(B)
    await expect(call(serverWith({ bulkhead })).sent).rejects.toMatchObject({
      code: 'upstream_unavailable',
    })
  })

  it('is waited for when the breakers of the others are open', async () => {
    const { call, open, openBreakers, sent } = world()
    const server = serverWith({ bulkhead })
    openBreakers.add(B)
    call(server)
    await sent(1)
    call(server)
    open[0]?.answer(fault('network'))
    await sent(2)
    expect(open[1]?.host).toBe('a')
  })
})

describe('an endpoint that has room, and whose probe went to someone else', () => {
  it('leaves its call in line for the others', async () => {
    const { call, open, sent, halfOpen } = world()
    const server = serverWith({ bulkhead: { maxConcurrent: 1, maxQueued: 2, queueMs: 60_000 } })
    call(server, { pinned: A })
    await sent(1)
    halfOpen.add(B)
    const second = call(server)
    open[0]?.answer(fault('network'))
    await sent(2)
    expect(open[1]?.host).toBe('a')
    open[1]?.answer(ok())
    expect((await second.sent).response.status).toBe(200)
  })

  it('is refused as unavailable where there are no others', async () => {
    const { call, halfOpen } = world()
    halfOpen.add(A)
    const server = serverWith({ bulkhead: { maxConcurrent: 1 } }, ['a'])
    await expect(call(server).sent).rejects.toMatchObject({ code: 'upstream_unavailable' })
  })
})

describe('a choice', () => {
  it.each([{}, { bulkhead: { maxConcurrent: 1 } }])(
    'is no promise while nobody is asked (%o)',
    (resilience) => {
      const { places, call } = world()
      const server = serverWith(resilience)
      const { ctx } = call(server, { pinned: B })
      const where = {
        call: { server, isJudged: true as const },
        tried: [B],
        policy: createSendPolicies(DEFAULT_SENDING)(server),
      }
      expect(places.choose(ctx as never, where)).toMatchObject({ endpoint: { id: A } })
    },
  )
})
