import { describe, expect, it } from 'vitest'
import { CLOSED } from '../../src/resilience/breaker.ts'
import { endpointOf, failureThreshold, one, openMs, world } from './breakers-world.ts'

describe('the breakers of an isolate', () => {
  it('let one probe through among all isolates, and close for all on its success', async () => {
    const { isolate, ctx, fail, settle, world: w } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold)
    await fail(second, 1)
    w.now += openMs
    expect(first.peek(one, w.now)).toBe('half_open')
    const answers = await Promise.all(
      [first, second, first, second].map((breakers) => breakers.admit(ctx, one)),
    )
    expect(answers.map(({ kind }) => kind).sort()).toEqual(['open', 'open', 'open', 'probe'])
    first.record(ctx, one, 'success', answers.find(({ probe }) => probe)?.probe)
    await settle()
    expect(await first.admit(ctx, one)).toEqual({ kind: 'closed' })
    w.now += 1_000
    expect(await second.admit(ctx, one)).toEqual({ kind: 'closed' })
  })

  it('ask again only after a second when the probe went to someone else', async () => {
    const { isolate, ctx, fail, calls, world: w } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold)
    await fail(second, 1)
    w.now += openMs
    await first.admit(ctx, one)
    await second.admit(ctx, one)
    const before = calls.length
    expect(second.peek(one, w.now)).toBe('open')
    expect(await second.admit(ctx, one)).toEqual({ kind: 'open', retryAfterSeconds: 1 })
    expect(calls.length).toBe(before)
    expect(second.peek(one, w.now + 1_000)).toBe('half_open')
  })

  it('close on the success of a probe whose endpoint was forgotten meanwhile', async () => {
    const { isolate, ctx, fail, settle, states, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    w.now += openMs
    const { probe } = await breakers.admit(ctx, one)
    for (let other = 10; other < 2_011; other += 1) await breakers.admit(ctx, endpointOf(other))
    expect(breakers.peek(one, w.now)).toBe('closed')
    breakers.record(ctx, one, 'success', probe)
    await settle()
    expect(states.get(one)).toMatchObject({ kind: 'closed' })
  })

  it('open again when the probe fails', async () => {
    const { isolate, ctx, fail, settle, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    w.now += openMs
    const { probe } = await breakers.admit(ctx, one)
    breakers.record(ctx, one, 'failure', probe)
    await settle()
    expect(await breakers.admit(ctx, one)).toEqual({ kind: 'open', retryAfterSeconds: 60 })
  })

  it('say once for all isolates that a breaker changed', async () => {
    const { isolate, ctx, events, settle, world: w } = world()
    const server = { tenant: 'acme', path: 'shop', resilience: {} }
    const [first, second] = [isolate().of(server), isolate().of(server)]
    for (const breakers of [first, second]) await breakers.admit(ctx, one)
    for (let count = 0; count < failureThreshold; count += 1) {
      for (const breakers of [first, second]) breakers.record(ctx, one, 'failure')
      await settle()
    }
    w.now += openMs
    const answers = await Promise.all([first.admit(ctx, one), second.admit(ctx, one)])
    first.record(ctx, one, 'success', answers.find(({ probe }) => probe)?.probe)
    await settle()
    const of = { type: 'breaker_changed', tenant: 'acme', server: 'shop', endpoint: one }
    expect(events).toMatchObject([
      { ...of, phase: 'open' },
      { ...of, phase: 'half_open' },
      { ...of, phase: 'closed' },
    ])
    expect(events).toHaveLength(3)
  })

  it('give the permit of a probe back whose caller left', async () => {
    const { isolate, ctx, fail, settle, calls, world: w } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold)
    await fail(second, 1)
    w.now += openMs
    const { probe } = await first.admit(ctx, one)
    expect(probe).toBeDefined()
    first.record(ctx, one, 'abandoned', probe)
    await settle()
    expect(await second.admit(ctx, one)).toEqual({
      kind: 'probe',
      probe: { opening: 1, isSpent: false },
    })
    const before = calls.length
    // Once: what follows it speaks of a permit that is someone else's now.
    for (const outcome of ['abandoned', 'success', 'failure'] as const) {
      first.record(ctx, one, outcome, probe)
    }
    await settle()
    expect(calls.length).toBe(before)
  })

  it.each(['abandoned', 'success', 'failure'] as const)(
    'leave a probe its permit when a call of before ends (%s)',
    async (outcome) => {
      const { isolate, ctx, fail, settle, states, calls, world: w } = world()
      const [first, unaware] = [isolate(), isolate()]
      expect(first.admitsAtOnce(one, w.now)).toBe(true)
      await fail(first, failureThreshold)
      w.now += openMs
      const { probe } = await first.admit(ctx, one)
      const half = states.get(one)
      expect(half).toMatchObject({ kind: 'half_open', probes: 1 })
      const before = calls.length
      first.record(ctx, one, outcome)
      await settle()
      expect(calls.length).toBe(before)
      // An isolate that still takes it for closed tells the object, which knows better.
      unaware.record(ctx, one, 'failure')
      await settle()
      expect(states.get(one)).toEqual(half)
      expect((await first.admit(ctx, one)).kind).toBe('open')
      first.record(ctx, one, 'success', probe)
      await settle()
      expect(states.get(one)).toEqual(CLOSED)
    },
  )

  it('do not listen to the probe of an opening that is over', async () => {
    const { isolate, ctx, fail, settle, states, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    w.now += openMs
    const lost = await breakers.admit(ctx, one)
    w.now += openMs
    const second = await breakers.admit(ctx, one)
    breakers.record(ctx, one, 'failure', second.probe)
    await settle()
    w.now += 2 * openMs
    const third = await breakers.admit(ctx, one)
    expect(third.kind).toBe('probe')
    const half = states.get(one)
    breakers.record(ctx, one, 'success', lost.probe)
    await settle()
    expect(states.get(one)).toEqual(half)
  })
})
