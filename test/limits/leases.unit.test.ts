import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAccount, type Lease } from '../../src/limits/account.ts'
import { ruleCounter } from '../../src/limits/counter.ts'
import { leaseMs, leaseSize, mostSpent, mostSpentAlone } from '../../src/limits/lease.ts'
import { createLedger } from '../../src/limits/ledger.ts'
import type { Window } from '../../src/limits/window.ts'
import { admitted, alice, memoryStore, ruleOf, T, world } from './world.ts'

const LIMIT = 200
const WINDOW = 10_000
const ISOLATES = 50

/** What 50 isolates do to one limit: bursts in parallel, deaths, clocks that differ, lost answers. */
interface Step {
  readonly waitMs: number
  readonly isolates: readonly number[]
  readonly burst: number
  readonly dies: boolean
  readonly isLost: boolean
}
const step = fc.record<Step>({
  waitMs: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 0, max: 400 }),
    fc.integer({ max: 9_000, min: 0 }),
  ),
  isolates: fc.array(fc.integer({ min: 0, max: ISOLATES - 1 }), {
    minLength: 1,
    maxLength: ISOLATES,
  }),
  burst: fc.integer({ min: 1, max: 30 }),
  dies: fc.boolean(),
  isLost: fc.boolean(),
})

async function spentTimes(steps: readonly Step[], canLose: boolean) {
  const rules = [ruleOf({ per: ['principal'], limit: LIMIT, windowMs: WINDOW })]
  const config = { principalPerMinute: 1_000_000, tenantPerMinute: 10_000_000 }
  const { isolate, admit, settle, state, events } = world({ rules, config })
  const isolates = Array.from({ length: ISOLATES }, isolate)
  const times: number[] = []
  const alone = new Set<number>()
  for (const { waitMs, isolates: chosen, burst, dies, isLost } of steps) {
    state.now += waitMs
    state.isLost = () => canLose && isLost
    await Promise.all(
      chosen.flatMap((n) =>
        Array.from({ length: burst }, async () => {
          const limits = isolates[n]
          if (limits === undefined) return
          const before = events.length
          // Clocks of isolates are up to 5 s ahead of the object's, and behind it.
          const { kind } = await admit(limits, alice, ((n % 11) - 5) * 1_000)
          if (kind === 'admitted') times.push(state.now)
          if (events.length > before) alone.add(n)
        }),
      ),
    )
    await settle()
    const first = chosen[0]
    if (dies && first !== undefined) isolates[first] = isolate()
  }
  return { times, alone: canLose ? new Set(Array.from({ length: ISOLATES }, (_, n) => n)) : alone }
}

/** The fullest span of each length that begins and ends with a call. */
function worstSpans(times: readonly number[]): [spanMs: number, count: number][] {
  const worst = new Map<number, number>()
  times.forEach((start, from) => {
    for (let to = from; to < times.length; to += 1) {
      const span = (times[to] ?? 0) - start
      worst.set(span, Math.max(worst.get(span) ?? 0, to - from + 1))
    }
  })
  return [...worst]
}

describe('50 isolates', () => {
  it('never spend more than the stated bound, whatever dies and however clocks differ', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const { times, alone } = await spentTimes(steps, false)
        expect(alone.size).toBe(0)
        for (const [span, count] of worstSpans(times)) {
          expect(count).toBeLessThanOrEqual(mostSpent(LIMIT, WINDOW, span))
        }
      }),
      { numRuns: 60, seed: 1 },
    )
  })

  it('never spend more than the bound of those that do not hear the object, when answers are lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const { times } = await spentTimes(steps, true)
        for (const [span, count] of worstSpans(times)) {
          expect(count).toBeLessThanOrEqual(mostSpentAlone(LIMIT, WINDOW, span, ISOLATES))
        }
      }),
      { numRuns: 30, seed: 2 },
    )
  })

  it('admit exactly the limit of a cold burst of ten times as much', async () => {
    const rules = [ruleOf({ per: ['principal'], limit: 500 })]
    const { isolate, admit, settle } = world({ rules })
    const isolates = Array.from({ length: ISOLATES }, isolate)
    const answers = await Promise.all(
      isolates.flatMap((limits) => Array.from({ length: 100 }, () => admit(limits))),
    )
    await settle()
    const count = answers.filter(({ kind }) => kind === 'admitted').length
    expect(count).toBeLessThanOrEqual(500)
    // What lies unspent in isolates that asked for more than their burst took.
    expect(count).toBeGreaterThanOrEqual(400)
  })

  it('never spend more of a quota than it has, over the end of its day', async () => {
    const day = { name: 'daily', per: ['tenant' as const], limit: 300 }
    const rules = [{ ...ruleOf(day), window: 'day' as const }]
    const config = { principalPerMinute: 100_000, tenantPerMinute: 1_000_000 }
    const { isolate, admit, settle, state } = world({ rules, config })
    const isolates = Array.from({ length: ISOLATES }, isolate)
    const count = async () => {
      let sum = 0
      for (const limits of isolates) sum += await admitted(20, () => admit(limits))
      await settle()
      return sum
    }
    state.now = T + 86_400_000 - 10_000
    expect(await count()).toBe(300)
    state.now += 9_999
    expect(await count()).toBe(0)
    state.now += 1
    expect(await count()).toBe(300)
  })

  it('all count alone while the object is away: so many times the limit, and not one more', async () => {
    const { isolate, admit, state, events } = world({
      config: { principalPerMinute: 20, tenantPerMinute: 6_000 },
    })
    state.isDown = true
    const isolates = Array.from({ length: ISOLATES }, isolate)
    let count = 0
    for (const limits of isolates) count += await admitted(40, () => admit(limits))
    expect(count).toBe(ISOLATES * 20)
    expect(count).toBeLessThanOrEqual(mostSpentAlone(20, 60_000, 0, ISOLATES))
    expect(events.filter(({ type }) => type === 'limiter_unavailable')).toHaveLength(ISOLATES)
  })
})

describe('the permits of an account', () => {
  const operation = fc.record({
    kind: fc.constantFrom('spend', 'put back', 'ask', 'lose', 'wait' as const),
    ms: fc.integer({ min: 0, max: 20_000 }),
  })
  it.each([60_000, 2_000, 'day', 'month'] as const)(
    'are all accounted for (%s): granted is spent, held, given back, or lost with an answer',
    (window) => {
      fc.assert(
        fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
          const { window: _, ...rest } = ruleOf({ per: ['principal'], limit: 300 })
          const rule = typeof window === 'number' ? { windowMs: window } : { window }
          const account = createAccount(ruleCounter({ ...rest, ...rule }, alice))
          const ledger = createLedger(memoryStore())
          const spent: Lease[] = []
          let now = T
          let [granted, returned, lost] = [0, 0, 0]
          for (const { kind, ms } of operations) {
            if (kind === 'wait') now += ms
            if (kind === 'spend') {
              const lease = account.spend(now)
              if (lease) spent.push(lease)
            }
            if (kind === 'put back') {
              const lease = spent.pop()
              if (lease) account.putBack(lease)
            }
            if (kind !== 'ask' && kind !== 'lose') continue
            const request = account.request(now)
            returned += request.unspent.reduce((sum, { count }) => sum + count, 0)
            const [grant] = ledger.lease([request], now)
            if (grant === undefined) throw new Error('no answer')
            granted += grant.granted
            if (kind === 'ask') account.settle(grant, now, now)
            else account.abandon()
            if (kind === 'lose') lost += grant.granted
          }
          let held = 0
          while (account.spend(now)) held += 1
          held += account.request(now).unspent.reduce((sum, { count }) => sum + count, 0)
          expect(granted).toBe(spent.length + held + returned + lost)
        }),
        { numRuns: 200, seed: 3 },
      )
    },
  )

  it('are leased for half of a window at most, and of a quota so few that losing them is little', () => {
    expect(
      [60_000, 3_600_000, 1_000, 'day', 'month'].map((window) => leaseMs(window as Window)),
    ).toEqual([30_000, 30_000, 500, 30_000, 30_000])
    expect([0, 1, 9, 10, 600, 6_000].map((limit) => leaseSize(limit, 60_000))).toEqual([
      1, 1, 1, 1, 60, 600,
    ])
    expect([1, 100, 6_000].map((limit) => leaseSize(limit, 60_000, true))).toEqual([1, 1, 60])
    expect([10, 1_000, 50_000, 1e9].map((limit) => leaseSize(limit, 'month'))).toEqual([
      1, 1, 50, 100,
    ])
  })
})
