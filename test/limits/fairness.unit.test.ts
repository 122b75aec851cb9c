import { describe, expect, it } from 'vitest'
import { fairShares } from '../../scripts/fairness/shares.ts'
import { expectWithin, mean, served, type User } from './users.ts'
import { ruleOf, T } from './world.ts'

const config = { principalPerMinute: 100_000, tenantPerMinute: 3_000 }

describe('users who share the limit of their tenant', () => {
  it('are served within 5% of max-min: 100 of them over 10 tenants, one of each is greedy', async () => {
    const users = Array.from({ length: 10 }, (_, tenant) =>
      Array.from({ length: 10 }, (_, n): User => {
        // 2, 4 and 6 tenths of an equal share of 300, and in the first tenant ten times the limit.
        const perWindow = n === 0 ? (tenant === 0 ? 30_000 : 6_000) : ([60, 120, 180][n % 3] ?? 0)
        return { name: `u${tenant}-${n}`, tenant: `t${tenant}`, perWindow }
      }),
    ).flat()
    const counts = await served(users, 6, { config })
    for (const { name, perWindow, tenant } of users) {
      const modest = users
        .filter((other) => other.tenant === tenant && other.perWindow < 300)
        .reduce((sum, other) => sum + other.perWindow, 0)
      const share = perWindow < 300 ? perWindow : 3_000 - modest
      expectWithin(mean(counts.get(name) ?? [], 2), share, 0.05)
    }
  }, 120_000)

  it.each([0, 0.25, 0.5, 0.75])(
    'are so in their first minute, which begins %f of a window after its bucket',
    async (part) => {
      const users = Array.from({ length: 10 }, (_, n): User => {
        return { name: `u${n}`, tenant: 'acme', perWindow: n < 2 ? 2_000 : 200 }
      })
      const counts = await served(users, 1, { config, startAt: T + part * 60_000 })
      const totals = users.map(({ name }) => counts.get(name)?.[0] ?? 0)
      const all = totals.reduce((sum, count) => sum + count, 0)
      const shares = fairShares(
        users.map(({ perWindow }) => perWindow),
        all,
      )
      totals.forEach((count, n) => {
        expectWithin(count, shares[n] ?? 0, 0.05)
      })
      // What is kept for those who come evenly is not thrown away.
      expect(all).toBeGreaterThanOrEqual(3_000 * 0.9)
    },
    120_000,
  )

  it('have equal shares when all are greedy, and weighted ones where a rule says so', async () => {
    const users = ['a', 'b', 'c', 'd'].map(
      (name): User => ({ name, tenant: 'acme', perWindow: 6_000 }),
    )
    const heavy = { principals: ['https://idp.example#a'] }
    const weight = { name: 'weight', per: ['principal' as const], limit: 1_000_000, weight: 3 }
    const rules = [ruleOf({ ...weight, match: heavy })]
    const equal = await served(users, 6, { config })
    for (const { name } of users) expectWithin(mean(equal.get(name) ?? [], 2), 750, 0.05)
    const weighted = await served(users, 6, { config, rules })
    expectWithin(mean(weighted.get('a') ?? [], 2), 1_500, 0.05)
    for (const name of ['b', 'c', 'd']) expectWithin(mean(weighted.get(name) ?? [], 2), 500, 0.05)
  }, 120_000)

  it('find their share at once though another had all of the limit before', async () => {
    for (const from of [2, 2.25, 2.5, 2.75]) {
      const users: User[] = [
        { name: 'greedy', tenant: 'acme', perWindow: 60_000 },
        { name: 'new', tenant: 'acme', perWindow: 1_200, from },
      ]
      const counts = await served(users, 5, { config })
      const first = counts.get('new')?.[2] ?? 0
      // In the part of a minute that was left: at least what its equal share of 1,500 gives, or all.
      expect(first).toBeGreaterThanOrEqual(Math.min(1_200, 1_500) * (3 - from) * 0.95)
      expectWithin(mean(counts.get('new') ?? [], 3), 1_200, 0.05)
      expectWithin(mean(counts.get('greedy') ?? [], 3), 1_800, 0.05)
    }
  }, 120_000)

  it('leave what they do not want to the one who does', async () => {
    const users: User[] = [
      { name: 'greedy', tenant: 'acme', perWindow: 60_000 },
      { name: 'idle', tenant: 'acme', perWindow: 6 },
    ]
    const counts = await served(users, 6, { config })
    expectWithin(mean(counts.get('greedy') ?? [], 2), 2_994, 0.05)
    expect(mean(counts.get('idle') ?? [], 2)).toBe(6)
  }, 120_000)

  it('are untouched by the users of another tenant', async () => {
    const users: User[] = [
      { name: 'flood', tenant: 'loud', perWindow: 120_000 },
      { name: 'calm', tenant: 'quiet', perWindow: 2_900 },
    ]
    const counts = await served(users, 3, { config })
    expect(counts.get('calm')?.slice(1)).toEqual([2_900, 2_900])
  }, 120_000)
})
