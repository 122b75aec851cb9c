import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import type { LeaseRequest } from '../../src/limits/lease.ts'

const request = (key: string, want: number, part: Partial<LeaseRequest> = {}): LeaseRequest => ({
  key,
  limit: 100,
  window: 60_000,
  want,
  unspent: [],
  ...part,
})

const OLD = { state: { bucket: 1, current: 1, previous: 1 }, limit: 100, window: 60_000 }

describe('the limiter object', () => {
  it('grants several keys in one call and counts each at once', async () => {
    const stub = env.LIMITERS.getByName('limiter-two-keys')
    const [tenant, principal] = await stub.lease([request('tenant', 60), request('p', 10)])
    expect([tenant?.granted, principal?.granted]).toEqual([60, 10])
    const [rest, more] = await stub.lease([request('tenant', 60), request('p', 10)])
    expect([rest?.granted, more?.granted]).toEqual([40, 10])
    const [none] = await stub.lease([request('tenant', 60)])
    expect(none?.granted).toBe(0)
    expect(none?.retryAfterMs).toBeGreaterThan(0)
    expect(none?.retryAfterMs).toBeLessThan(121_000)
  })

  it('never grants more than the limit to 50 callers at once', async () => {
    const stub = env.LIMITERS.getByName('limiter-burst')
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => stub.lease([request('p', 10)])),
    )
    expect(answers.reduce((sum, [grant]) => sum + (grant?.granted ?? 0), 0)).toBe(100)
  })

  it('takes back what an isolate did not spend', async () => {
    const stub = env.LIMITERS.getByName('limiter-unspent')
    const [first] = await stub.lease([request('p', 100)])
    const unspent = [{ count: 7, grantedAt: first?.grantedAt ?? 0 }]
    const [second] = await stub.lease([request('p', 100, { unspent })])
    expect(second?.granted).toBe(7)
  })

  it('remembers what it granted when it was evicted', async () => {
    const stub = env.LIMITERS.getByName('limiter-evicted')
    await stub.lease([request('p', 95)])
    await evictDurableObject(stub)
    const [grant] = await stub.lease([request('p', 10)])
    expect(grant?.granted).toBe(5)
  })

  it('keeps busy windows at the alarm, forgets idle ones, and in the end everything', async () => {
    const stub = env.LIMITERS.getByName('limiter-alarm')
    await stub.lease([request('busy', 1), request('idle', 1)])
    await runInDurableObject(stub, (_instance, { storage }) => {
      storage.kv.put('counter:idle', OLD)
    })
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    const kept = await runInDurableObject(stub, (_instance, { storage }) =>
      [...storage.kv.list({ prefix: 'counter:' })].map(([key]) => key),
    )
    expect(kept).toEqual(['counter:busy'])
    await runInDurableObject(stub, (_instance, { storage }) => {
      storage.kv.put('counter:busy', OLD)
    })
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    const left = await runInDurableObject(stub, async (_instance, { storage }) => ({
      keys: [...storage.kv.list()].length,
      alarm: await storage.getAlarm(),
    }))
    expect(left).toEqual({ keys: 0, alarm: null })
    const [again] = await stub.lease([request('busy', 100)])
    expect(again?.granted).toBe(100)
  })

  it('starts afresh from counters of another version and from garbage', async () => {
    const stub = env.LIMITERS.getByName('limiter-schema')
    await stub.lease([request('p', 100)])
    await runInDurableObject(stub, (_instance, { storage }) => storage.kv.put('schema', 0))
    await evictDurableObject(stub)
    expect((await stub.lease([request('p', 100)]))[0]?.granted).toBe(100)
    await runInDurableObject(stub, (_instance, { storage }) => storage.kv.put('counter:p', 'what'))
    expect((await stub.lease([request('p', 100)]))[0]?.granted).toBe(100)
  })
})

describe('what a limiter object keeps', () => {
  it('are quotas, over evictions and alarms, until their period is over', async () => {
    const stub = env.LIMITERS.getByName('limiter-quota')
    const quota = request('q', 60, { window: 'month' })
    const [first] = await stub.lease([quota])
    expect(first?.granted).toBe(25)
    await evictDurableObject(stub)
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    await evictDurableObject(stub)
    expect(await stub.usage()).toEqual([{ key: 'q', limit: 100, window: 'month', used: 25 }])
    const alarm = await runInDurableObject(stub, (_instance, { storage }) => storage.getAlarm())
    expect(alarm).toBeGreaterThan(Date.now())
    expect(alarm).toBeLessThanOrEqual(Date.now() + 31 * 86_400_000)
    await runInDurableObject(stub, (_instance, { storage }) => {
      const state = { bucket: 2026 * 12, current: 25, previous: 0 }
      storage.kv.put('counter:q', { state, limit: 100, window: 'month' })
    })
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    expect(await stub.usage()).toEqual([])
  })

  it('are no reason to let minutes lie: who asks brings a far alarm near', async () => {
    const stub = env.LIMITERS.getByName('limiter-far-alarm')
    const alarm = () => runInDurableObject(stub, (_instance, { storage }) => storage.getAlarm())
    await stub.lease([request('q', 1, { window: 'month' })])
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    await runInDurableObject(stub, (_instance, { storage }) =>
      storage.setAlarm(Date.now() + 20 * 86_400_000),
    )
    await stub.lease([request('minute', 1)])
    expect(await alarm()).toBeLessThanOrEqual(Date.now() + 120_000)
  })

  it('are shares, over evictions: who had nothing is served, and together they have the limit', async () => {
    const stub = env.LIMITERS.getByName('limiter-shares')
    const of = (key: string, want: number) => request('t', want, { member: { key, weight: 1 } })
    let granted = 0
    for (let n = 0; n < 20; n += 1)
      granted += (await stub.lease([of('greedy', 60)]))[0]?.granted ?? 0
    // Alone he has half at once, and the rest as the minute passes: how much is the clock's.
    expect(granted).toBeGreaterThanOrEqual(50)
    expect(granted).toBeLessThan(100)
    await evictDurableObject(stub)
    const [modest] = await stub.lease([of('modest', 10)])
    expect(modest?.granted ?? 0).toBeGreaterThan(0)
    const [more] = await stub.lease([of('greedy', 60)])
    // What was granted before the eviction is remembered, or he would have half once more.
    expect(granted + (modest?.granted ?? 0) + (more?.granted ?? 0)).toBeLessThanOrEqual(100)
  })
})
