import { describe, expect, it } from 'vitest'
import type { BreakerState } from '../../src/resilience/breaker.ts'
import { createBreakers, DEFAULT_BREAKER } from '../../src/resilience/index.ts'
import { endpointOf, failureThreshold, one, openMs, T, two, world } from './breakers-world.ts'

describe('the breakers of an isolate', () => {
  it('make no object call while an endpoint answers', async () => {
    const { isolate, ctx, calls } = world()
    const breakers = isolate()
    for (let call = 0; call < 100; call += 1) {
      expect(await breakers.admit(ctx, one)).toEqual({ kind: 'closed' })
      breakers.record(ctx, one, 'success')
    }
    expect(calls).toEqual([])
  })

  it('tell every failure at once, and the first success after them', async () => {
    const { isolate, ctx, calls, settle, fail, states } = world()
    const breakers = isolate()
    await fail(breakers, 2)
    expect(calls).toEqual(['report', 'report'])
    expect(states.get(one)).toMatchObject({ kind: 'closed', failures: 2 })
    breakers.record(ctx, one, 'success')
    await settle()
    breakers.record(ctx, one, 'success')
    expect(calls.length).toBe(3)
    expect(states.get(one)).toMatchObject({ kind: 'closed', failures: 0 })
  })

  it('refuse calls while open, without asking anyone', async () => {
    const { isolate, ctx, calls, fail, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    const before = calls.length
    w.now += 500
    expect(await breakers.admit(ctx, one)).toEqual({ kind: 'open', retryAfterSeconds: 30 })
    expect(breakers.peek(one, w.now)).toBe('open')
    breakers.record(ctx, one, 'failure')
    expect(calls.length).toBe(before)
    expect(await breakers.admit(ctx, two)).toEqual({ kind: 'closed' })
  })

  it('learn from one failure that others have opened the breaker', async () => {
    const { isolate, ctx, fail } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold - 1)
    await fail(second, 1)
    expect((await second.admit(ctx, one)).kind).toBe('open')
    expect((await first.admit(ctx, one)).kind).toBe('closed')
    await fail(first, 1)
    expect((await first.admit(ctx, one)).kind).toBe('open')
  })

  it('decide alone while the object is away, and say so', async () => {
    const { isolate, ctx, fail, events, world: w } = world()
    w.isDown = true
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    expect((await breakers.admit(ctx, one)).kind).toBe('open')
    w.now += openMs
    expect(await breakers.admit(ctx, one)).toEqual({
      kind: 'probe',
      probe: { opening: 1, isSpent: false },
    })
    expect((await breakers.admit(ctx, one)).kind).toBe('open')
    const changes = events.flatMap((event) =>
      event.type === 'breaker_changed' ? [event.phase] : [],
    )
    expect(changes).toEqual(['open', 'half_open'])
    expect(events.length).toBe(failureThreshold + 1 + 1 + changes.length)
    expect(events[0]).toEqual({
      type: 'breaker_unavailable',
      requestId: 'request-1',
      endpoint: one,
    })
  })

  it('believe the answer to the last report, not one that came late', async () => {
    const { ctx } = world()
    const answers: ((answer: { state: BreakerState }) => void)[] = []
    const breakers = createBreakers({
      config: DEFAULT_BREAKER,
      events: { emit: () => undefined },
      object: () => ({
        report: () => new Promise((resolve) => void answers.push(resolve)),
        acquireProbe: () => Promise.reject(new Error('unused')),
        phase: () => Promise.reject(new Error('unused')),
      }),
    })
    breakers.record(ctx, one, 'failure')
    breakers.record(ctx, one, 'failure')
    answers[1]?.({ state: { kind: 'open', openedAt: T, openings: 1 } })
    await Promise.resolve()
    answers[0]?.({ state: { kind: 'closed', failures: 1, window: [] } })
    await Promise.resolve()
    expect(breakers.peek(one, T)).toBe('open')
  })

  it('tell successes with the next failure, without a call for each', async () => {
    const { isolate, ctx, settle, calls, states, world: w } = world()
    const breakers = isolate()
    for (let call = 0; call < 50; call += 1) breakers.record(ctx, one, 'success')
    expect(calls).toEqual([])
    breakers.record(ctx, one, 'failure')
    await settle()
    expect(states.get(one)).toEqual({
      kind: 'closed',
      failures: 1,
      window: [{ at: w.now, successes: 50, failures: 1 }],
    })
  })

  it('do not tell successes that are older than the window', async () => {
    const { isolate, ctx, settle, states, world: w } = world()
    const breakers = isolate()
    const quarter = DEFAULT_BREAKER.windowMs / 4
    for (let call = 0; call < 8; call += 1) {
      breakers.record(ctx, one, 'success')
      w.now += quarter
    }
    breakers.record(ctx, one, 'failure')
    await settle()
    const state = states.get(one)
    const told = state?.kind === 'closed' ? state.window[0]?.successes : undefined
    expect(told).toBe(2)
  })

  it('open for what fails too often though never in a row', async () => {
    const { isolate, ctx, settle, fail } = world()
    const breakers = isolate()
    for (let call = 0; call < 9; call += 1) {
      breakers.record(ctx, one, 'success')
      await fail(breakers, 1)
    }
    breakers.record(ctx, one, 'success')
    await settle()
    expect(breakers.peek(one, T)).toBe('closed')
    await fail(breakers, 1)
    expect(breakers.peek(one, T)).toBe('open')
  })

  it('go by the settings of the server, also when told by who does not know it', async () => {
    const { isolate, ctx, fail } = world()
    const breakers = isolate()
    const server = {
      tenant: 'acme',
      path: 'shop',
      resilience: { breaker: { failureThreshold: 2 } },
    }
    const own = breakers.of(server)
    expect(breakers.of(server)).toBe(own)
    expect(await own.admit(ctx, one)).toEqual({ kind: 'closed' })
    await fail(breakers, 2)
    expect(own.peek(one, T)).toBe('open')
    await fail(breakers, 4, two)
    expect(breakers.peek(two, T)).toBe('closed')
  })

  it('forget the endpoints they have not used for longest', async () => {
    const { isolate, ctx, fail, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    for (let index = 10; index < 2_009; index += 1) await breakers.admit(ctx, endpointOf(index))
    expect(breakers.peek(one, w.now)).toBe('open')
    await breakers.admit(ctx, two)
    expect(breakers.peek(one, w.now)).toBe('closed')
  })
})
