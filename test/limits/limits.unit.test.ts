import { describe, expect, it } from 'vitest'
import { admitted, alice, bob, principal, T, world } from './world.ts'

describe('admit', () => {
  it('makes at most four object calls for 100 calls at the default limits, one of them awaited', async () => {
    const { admit, isolate, calls, settle, behind } = world()
    const limits = isolate()
    await admit(limits)
    expect(calls.length).toBe(1)
    expect(behind.length).toBe(0)
    for (let call = 1; call < 100; call += 1) {
      const before = calls.length
      const pending = admit(limits)
      expect(calls.length - before).toBe(behind.length)
      expect((await pending).kind).toBe('admitted')
      await settle()
    }
    expect(calls.length).toBeLessThanOrEqual(4)
  })

  it('leases tenant and principal in one call', async () => {
    const { admit, isolate, calls } = world()
    await admit(isolate())
    const member = { key: alice.key, weight: 1 }
    const minute = { window: 60_000, want: 15, unspent: [] }
    expect(calls).toEqual([
      [
        { key: `["principal",60000,{"principal":"${alice.key}"}]`, limit: 600, ...minute },
        { key: '["tenant",60000,{}]', limit: 6_000, ...minute, member },
      ],
    ])
  })

  it('never admits more than the limit over 50 isolates at once, each with bursts', async () => {
    const { admit, isolate, settle } = world({
      config: { principalPerMinute: 100, tenantPerMinute: 6_000 },
    })
    const isolates = Array.from({ length: 50 }, isolate)
    const answers = await Promise.all(
      isolates.flatMap((limits) => Array.from({ length: 20 }, () => admit(limits))),
    )
    await settle()
    const count = answers.filter((answer) => answer.kind === 'admitted').length
    expect(count).toBeLessThanOrEqual(100)
    expect(count).toBeGreaterThan(0)
  })

  it('spends the whole limit in one isolate, then refuses with the wait, and admits after it', async () => {
    const { admit, isolate, state } = world({
      config: { principalPerMinute: 20, tenantPerMinute: 6_000 },
    })
    const limits = isolate()
    expect(await admitted(30, () => admit(limits))).toBe(20)
    const refused = await admit(limits)
    expect(refused).toEqual({ kind: 'limited', retryAfterSeconds: 64, scope: 'principal' })
    state.now += 63_000 - 1
    expect((await admit(limits)).kind).toBe('limited')
    state.now += 1_001
    expect((await admit(limits)).kind).toBe('admitted')
  })

  it('answers a flood without object calls once it is refused', async () => {
    const { admit, isolate, calls } = world({
      config: { principalPerMinute: 20, tenantPerMinute: 6_000 },
    })
    const limits = isolate()
    await admitted(21, () => admit(limits))
    const before = calls.length
    expect(await admitted(1_000, () => admit(limits))).toBe(0)
    expect(calls.length).toBe(before)
  })

  it('names the tenant when its principals together are too many', async () => {
    const { admit, isolate } = world({ config: { principalPerMinute: 600, tenantPerMinute: 10 } })
    const limits = isolate()
    const names = Array.from({ length: 10 }, (_, index) => principal(`p${index}`))
    for (const who of names) expect((await admit(limits, who)).kind).toBe('admitted')
    expect(await admit(limits, bob)).toMatchObject({ kind: 'limited', scope: 'tenant' })
    expect((await admit(limits, principal('carol', 'other'))).kind).toBe('admitted')
  })

  it('does not charge the principal for a call that the tenant limit refused', async () => {
    const { admit, isolate, state, calls } = world({
      config: { principalPerMinute: 20, tenantPerMinute: 1 },
    })
    const [first, second] = [isolate(), isolate()]
    expect((await admit(first)).kind).toBe('admitted')
    for (const limits of [first, first, first, second, second]) {
      expect(await admit(limits)).toMatchObject({ kind: 'limited', scope: 'tenant' })
    }
    state.now += 121_000
    // The first isolate took three permits and spent one of them, the second one and none.
    await admit(first)
    expect(calls.at(-1)?.[0]?.unspent).toEqual([{ count: 2, grantedAt: T }])
    await admit(second)
    expect(calls.at(-1)?.[0]?.unspent).toEqual([{ count: 1, grantedAt: T }])
  })

  it('gives the same principal one limit whatever credential it brings', async () => {
    const { admit, isolate } = world({ config: { principalPerMinute: 5, tenantPerMinute: 6_000 } })
    const limits = isolate()
    const rotated = { ...alice, expiresAt: 9, scopes: ['gatehouse:call'] }
    expect(await admitted(5, () => admit(limits))).toBe(5)
    expect((await admit(limits, rotated)).kind).toBe('limited')
  })

  it('asks for single permits while a lease is under way, so a cold burst does not hoard', async () => {
    const { admit, isolate, calls } = world()
    const limits = isolate()
    await Promise.all(Array.from({ length: 5 }, () => admit(limits)))
    expect(calls.map(([first]) => first?.want)).toEqual([15, 1, 1, 1, 1])
  })

  it('renews behind the response when under a quarter is left', async () => {
    const { admit, isolate, calls, behind, settle } = world()
    const limits = isolate()
    await admitted(11, () => admit(limits))
    expect(behind.length).toBe(0)
    await admit(limits)
    expect(behind.length).toBe(1)
    await admit(limits)
    expect(behind.length).toBe(1)
    await settle()
    expect(calls[1]?.map(({ limit, want }) => [limit, want])).toEqual([
      [600, 30],
      [6_000, 30],
    ])
    expect(await admitted(24, () => admit(limits))).toBe(24)
    expect(calls.length).toBe(2)
  })

  it('stops spending a lease after 30 s and hands its permits back with the next question', async () => {
    const { admit, isolate, calls, state } = world()
    const limits = isolate()
    await admit(limits)
    state.now += 29_999
    await admit(limits)
    expect(calls.length).toBe(1)
    state.now += 1
    await admit(limits)
    expect(calls[1]?.map(({ unspent }) => unspent)).toEqual([
      [{ count: 13, grantedAt: T }],
      [{ count: 13, grantedAt: T }],
    ])
    // At this pace three will do for the next half minute.
    expect(calls[1]?.map(({ want }) => want)).toEqual([2, 2])
  })

  it('counts alone while the object is away, says so, and never beyond the limit', async () => {
    const { admit, isolate, state, events, calls } = world({
      config: { principalPerMinute: 20, tenantPerMinute: 6_000 },
    })
    state.isDown = true
    const limits = isolate()
    expect(await admitted(30, () => admit(limits))).toBe(20)
    expect(await admit(limits)).toMatchObject({ kind: 'limited', scope: 'principal' })
    expect(calls.length).toBe(1)
    expect(events).toEqual([
      { type: 'limiter_unavailable', requestId: 'request-1', tenant: 'acme' },
    ])
    state.now += 1_000
    state.isDown = false
    expect((await admit(limits)).kind).toBe('admitted')
  })

  it('keeps serving when a renewal behind the response fails', async () => {
    const { admit, isolate, state, events, settle } = world()
    const limits = isolate()
    await admitted(11, () => admit(limits))
    state.isDown = true
    expect((await admit(limits)).kind).toBe('admitted')
    await settle()
    expect(events.map(({ type }) => type)).toEqual(['limiter_unavailable'])
    expect((await admit(limits)).kind).toBe('admitted')
  })

  it('forgets the principals it has not seen for longest', async () => {
    const { admit, isolate, calls } = world({
      config: { principalPerMinute: 600, tenantPerMinute: 6_000_000 },
    })
    const limits = isolate()
    await admit(limits, principal('carol'))
    await admit(limits, principal('carol'))
    expect(calls.length).toBe(1)
    for (let index = 0; index < 5_000; index += 1) await admit(limits, principal(`p${index}`))
    const before = calls.length
    await admit(limits, principal('carol'))
    expect(calls.length).toBe(before + 1)
  })
})
