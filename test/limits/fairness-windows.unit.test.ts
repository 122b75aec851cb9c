import { describe, expect, it } from 'vitest'
import { fairShares } from '../../scripts/fairness/shares.ts'
import { expectWithin, served, type User } from './users.ts'
import { principal, ruleOf, T, world } from './world.ts'

const HOUR = 3_600_000
const config = { principalPerMinute: 1_000_000, tenantPerMinute: 1_000_000 }
const shared = (limit: number, windowMs: number, weight?: number) =>
  ruleOf({ per: ['tenant'], limit, windowMs, ...(weight ? { weight } : {}) })
const crowd = (count: number, perWindow: number): User[] =>
  Array.from({ length: count }, (_, n) => ({ name: `m${n}`, tenant: 'acme', perWindow }))

describe('users who ask seldom beside one who wants everything', () => {
  it.each([
    ['20 times an hour', 20, 20, 800, HOUR],
    ['4 times an hour', 20, 4, 160, HOUR],
    ['12 times an hour, alone with him', 1, 12, 100, HOUR],
    ['5 times in five minutes', 10, 5, 100, 300_000],
  ])(
    'have what they want of every window, the first included: %s',
    async (_how, count, perWindow, limit, windowMs) => {
      const users = [
        { name: 'greedy', tenant: 'acme', perWindow: limit * 2 },
        ...crowd(count, perWindow),
      ]
      const rules = [shared(limit, windowMs)]
      const counts = await served(users, 4, { config, rules, windowMs, isolates: 1 })
      for (let window = 0; window < 4; window += 1) {
        const modest = users.slice(1).map(({ name }) => counts.get(name)?.[window] ?? 0)
        const all = modest.reduce((sum, one) => sum + one, 0)
        expect(all).toBeGreaterThanOrEqual(count * perWindow * 0.98)
        // What they do not want is not thrown away.
        const share =
          fairShares(
            users.map((user) => user.perWindow),
            limit,
          )[0] ?? 0
        expect(counts.get('greedy')?.[window]).toBeGreaterThanOrEqual(share * 0.8)
      }
    },
    120_000,
  )

  it('have it although he asks just before them, each time', async () => {
    const modest = { name: 'modest', tenant: 'acme', perWindow: 600 }
    const users = [{ name: 'greedy', tenant: 'acme', perWindow: 12_000 }, modest]
    const counts = await served(users, 2, { config, rules: [shared(3_000, 60_000)], isolates: 1 })
    for (const count of counts.get('modest') ?? []) expectWithin(count, 600, 0.02)
  }, 120_000)
})

describe('a newcomer', () => {
  it.each([1, 10, 100])('has his share at once, when all weigh %i', async (weight) => {
    const users = [
      { name: 'greedy', tenant: 'acme', perWindow: 12_000 },
      { name: 'new', tenant: 'acme', perWindow: 1_200, from: 0.25 },
    ]
    const heavy = ruleOf({ name: 'heavy', per: ['principal'], limit: 1_000_000, weight })
    const rules = [shared(3_000, 60_000), heavy]
    const counts = await served(users, 1, { config, rules, isolates: 1 })
    expectWithin(counts.get('new')?.[0] ?? 0, 900, 0.05)
  })
})

describe('many who come once', () => {
  it.each([1_500, 2_500])('are %i calls, and not a lease each', async (count) => {
    const { isolate, admit, settle, state } = world({
      config: { principalPerMinute: 600, tenantPerMinute: 3_000 },
    })
    const limits = isolate()
    let admitted = 0
    for (let n = 0; n < count; n += 1) {
      if ((await admit(limits, principal(`once-${n}`))).kind === 'admitted') admitted += 1
      if (n % 100 === 0) await settle()
      state.now += 10
    }
    expect(admitted).toBeGreaterThanOrEqual(count * 0.9)
  })

  it('do not keep what they did not spend: whoever asks next hands it back', async () => {
    const rules = [
      shared(100_000, HOUR),
      ruleOf({ name: 'own', per: ['principal'], limit: 1_000, windowMs: HOUR }),
    ]
    const { isolate, admit, settle, state, ledgerOf } = world({ config, rules })
    const limits = isolate()
    for (let n = 0; n < 5; n += 1) await admit(limits, principal(`once-${n}`))
    await settle()
    const used = () =>
      Object.fromEntries(
        ledgerOf('acme')
          .usage(state.now, 100)
          .filter(({ window }) => window === HOUR)
          .map(({ key, used: count }) => [
            JSON.parse(key)[2].principal ?? 'all',
            Math.round(count),
          ]),
      )
    expect(used()['all']).toBeGreaterThan(500)
    state.now += 31_000
    await admit(limits, principal('another'))
    await settle()
    const own = Object.keys(used()).filter((key) => key.includes('once-'))
    expect(own.map((key) => used()[key])).toEqual([1, 1, 1, 1, 1])
    expect(used()['all']).toBeLessThan(300)
  })

  it('keep nobody out when they are idle, however many they were', async () => {
    const { isolate, admit, state, ledgerOf } = world({ config, rules: [shared(3_000, 60_000)] })
    const limits = isolate()
    for (let n = 0; n < 1_010; n += 1) await admit(limits, principal(`once-${n}`))
    state.now += 180_000
    const greedy = principal('greedy')
    for (let n = 0; n < 5_000; n += 1) await admit(limits, greedy)
    let admitted = 0
    for (let n = 0; n < 100; n += 1) {
      state.now += 100
      if ((await admit(limits, principal('modest'))).kind === 'admitted') admitted += 1
      await admit(limits, greedy)
    }
    expect(admitted).toBe(100)
    expect(ledgerOf('acme').usage(state.now, 10).length).toBeGreaterThan(0)
  })
})

describe('a clock that was an hour ahead for a while', () => {
  it('holds what was spent then for a window or two, and not until it is there again', async () => {
    const { isolate, admit, state } = world({ config: { ...config, principalPerMinute: 600 } })
    const limits = isolate()
    state.now = T + HOUR
    await admit(limits)
    state.now = T
    const perMinute: number[] = []
    for (let minute = 0; minute < 4; minute += 1) {
      let count = 0
      for (let second = 0; second < 60; second += 1) {
        for (let n = 0; n < 20; n += 1) if ((await admit(limits)).kind === 'admitted') count += 1
        state.now += 1_000
      }
      perMinute.push(count)
    }
    expect(Math.max(...perMinute)).toBeLessThanOrEqual(600)
    expectWithin(perMinute[3] ?? 0, 600, 0.05)
  })
})

/** What somebody is served in each of three minutes, beside 100 visitors a minute of so many calls. */
async function besideVisitors(perSlot: number, calls: number, tenantPerMinute: number) {
  const { isolate, admit, settle, state } = world({
    config: { principalPerMinute: 1_000_000, tenantPerMinute },
  })
  const isolates = [isolate(), isolate(), isolate()]
  let asked = 0
  const ask = async (name: string): Promise<number> => {
    const limits = isolates[asked % isolates.length]
    asked += 1
    return limits && (await admit(limits, principal(name))).kind === 'admitted' ? 1 : 0
  }
  const perMinute: number[] = []
  for (let minute = 0; minute < 3; minute += 1) {
    let count = 0
    for (let visitor = 0; visitor < 100; visitor += 1) {
      for (let call = 0; call < calls; call += 1) await ask(`${minute}-${visitor}`)
      for (let call = 0; call < perSlot; call += 1) count += await ask('service')
      await settle()
      state.now += 600
    }
    perMinute.push(count)
  }
  return perMinute
}

describe('a service beside visitors who do not stay', () => {
  it.each([1, 3])(
    'is served while all want less than there is, when they make %i calls',
    async (calls) => {
      const [first, ...later] = await besideVisitors(5, calls, 6_000)
      expect(first).toBeGreaterThanOrEqual(450)
      for (const count of later) expectWithin(count, 500, 0.02)
    },
  )

  it('has nearly all that they leave, where it wants everything', async () => {
    for (const count of await besideVisitors(30, 1, 1_000)) {
      expect(count).toBeGreaterThanOrEqual(900 * 0.8)
    }
  })
})
