import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { DEFAULT_BREAKER } from '../../src/resilience/index.ts'

const { failureThreshold, openMs } = DEFAULT_BREAKER
const T = 1_000_000
const failed = (failures: number, now = T) => ({ successes: 0, failures, now })
const succeeded = (now = T) => ({ successes: 1, failures: 0, now, opening: 1 })

describe('the breaker object', () => {
  it('opens at the threshold over reports of several isolates, and a success starts anew', async () => {
    const stub = env.BREAKERS.getByName('breaker-threshold')
    await stub.report(failed(failureThreshold - 1))
    expect((await stub.report(succeeded())).state).toMatchObject({ kind: 'closed', failures: 0 })
    await Promise.all(Array.from({ length: failureThreshold - 1 }, () => stub.report(failed(1))))
    expect(await stub.report(failed(1))).toEqual({
      state: { kind: 'open', openedAt: T, openings: 1 },
      change: 'open',
    })
  })

  it('gives one probe among many that ask, and closes on its success', async () => {
    const stub = env.BREAKERS.getByName('breaker-probe')
    await stub.report(failed(failureThreshold))
    expect((await stub.acquireProbe({ now: T + openMs - 1 })).isGranted).toBe(false)
    const now = T + openMs
    const answers = await Promise.all(Array.from({ length: 20 }, () => stub.acquireProbe({ now })))
    expect(answers.filter(({ isGranted }) => isGranted).length).toBe(1)
    expect(answers.filter(({ change }) => change === 'half_open').length).toBe(1)
    expect(await stub.phase({ now })).toBe('half_open')
    expect(await stub.report(succeeded(now))).toEqual({
      state: { kind: 'closed', failures: 0, window: [] },
      change: 'closed',
    })
    expect(await stub.acquireProbe({ now })).toMatchObject({ isGranted: true })
  })

  it('remembers that it is open when it was evicted', async () => {
    const stub = env.BREAKERS.getByName('breaker-evicted')
    await stub.report(failed(failureThreshold))
    await evictDurableObject(stub)
    expect(await stub.acquireProbe({ now: T + 1 })).toEqual({
      state: { kind: 'open', openedAt: T, openings: 1 },
      isGranted: false,
      retryAfterMs: openMs - 1,
    })
  })

  it('keeps recent state at the alarm and forgets it when nothing was told for an hour', async () => {
    const stub = env.BREAKERS.getByName('breaker-alarm')
    await stub.report(failed(2))
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    expect((await stub.report(failed(1))).state).toMatchObject({ kind: 'closed', failures: 3 })
    await runInDurableObject(stub, (_instance, { storage }) => {
      storage.kv.put('breaker', {
        schema: 2,
        updatedAt: 1,
        state: { kind: 'closed', failures: 3, window: [] },
      })
    })
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    const left = await runInDurableObject(stub, async (_instance, { storage }) => ({
      keys: [...storage.kv.list()].length,
      alarm: await storage.getAlarm(),
    }))
    expect(left).toEqual({ keys: 0, alarm: null })
  })

  it('tells each isolate what the others have in flight, and forgets it with its memory', async () => {
    const stub = env.BREAKERS.getByName('breaker-load')
    await stub.load({ isolate: 'a', inFlight: 4, latencyMs: 20 })
    await stub.load({ isolate: 'b', inFlight: 3 })
    expect(await stub.load({ isolate: 'c', inFlight: 1 })).toEqual({ inFlight: 7, latencyMs: 20 })
    expect(await stub.load({ isolate: 'a', inFlight: 0 })).toEqual({ inFlight: 4 })
    await evictDurableObject(stub)
    expect(await stub.load({ isolate: 'a', inFlight: 0 })).toEqual({ inFlight: 0 })
  })

  it.each([
    { schema: 0, tripped: true },
    { schema: 1, updatedAt: T, state: { kind: 'open', openedAt: T } },
  ])('takes state of another version for a closed breaker (%o)', async (record) => {
    const stub = env.BREAKERS.getByName(`breaker-schema-${record.schema}`)
    await stub.report(failed(failureThreshold))
    await runInDurableObject(stub, (_instance, { storage }) => {
      storage.kv.put('breaker', record)
    })
    expect((await stub.report(failed(1))).state).toMatchObject({ kind: 'closed', failures: 1 })
  })

  it('goes by the numbers of its server, also for who does not know them', async () => {
    const stub = env.BREAKERS.getByName('breaker-config')
    const config = { ...DEFAULT_BREAKER, failureThreshold: 2, openMs: 1_000 }
    expect((await stub.report({ ...failed(1), config })).state.kind).toBe('closed')
    expect((await stub.report(failed(1))).state).toMatchObject({ kind: 'open', openedAt: T })
    expect(await stub.phase({ now: T + 999 })).toBe('open')
    expect(await stub.phase({ now: T + 1_000 })).toBe('half_open')
  })

  it('gives the permit of an abandoned probe to the next who asks', async () => {
    const stub = env.BREAKERS.getByName('breaker-abandoned')
    await stub.report(failed(failureThreshold))
    const now = T + openMs
    expect((await stub.acquireProbe({ now })).isGranted).toBe(true)
    expect((await stub.acquireProbe({ now })).isGranted).toBe(false)
    await stub.report({ successes: 0, failures: 0, abandoned: 1, now, opening: 1 })
    expect((await stub.acquireProbe({ now })).isGranted).toBe(true)
  })
})
