import { describe, expect, it } from 'vitest'
import { readCounterKey, ruleCounter } from '../../src/limits/counter.ts'
import { compileRules, matchesCaller, matchesTarget } from '../../src/limits/rule-set.ts'
import { takePermits, usedPermits } from '../../src/limits/window.ts'
import { admitted, alice, bob, principal, ruleOf, T, world } from './world.ts'

const rule = (match: object, per: Parameters<typeof ruleOf>[0]['per'] = ['principal']) =>
  ruleOf({ per, limit: 10, match })
const call = { server: 'books', method: 'tools/call', tool: 'delete_all' }
const OPEN = { principalPerMinute: 1_000_000, tenantPerMinute: 10_000_000 }

describe('a rule', () => {
  it('is about the callers it names, by key or by any of their groups', () => {
    const admin = principal('root', 'acme', { groups: ['admins', 'staff'] })
    expect(matchesCaller(rule({}), alice)).toBe(true)
    expect(matchesCaller(rule({ principals: [alice.key] }), alice)).toBe(true)
    expect(matchesCaller(rule({ principals: [alice.key] }), bob)).toBe(false)
    expect(matchesCaller(rule({ groups: ['staff', 'others'] }), admin)).toBe(true)
    expect(matchesCaller(rule({ groups: ['staff'] }), alice)).toBe(false)
    expect(matchesCaller(rule({ principals: [admin.key], groups: ['x'] }), admin)).toBe(false)
  })

  it.each(['a', '\u00e9', '\u20ac', '\ud83d\ude00', '"', '\ud800'])(
    'has a counter whose key fits into storage, whatever long names of %s it counts by',
    (char) => {
      const long = char.repeat(512)
      const who = principal(long, 'acme', { claims: { client_id: long } })
      const target = { server: long, method: 'tools/call', tool: long }
      const per = ['principal', 'key', 'server', 'tool'] as const
      const { key } = ruleCounter(rule({}, [...per]), who, target)
      const other = ruleCounter(rule({}, [...per]), who, { ...target, tool: `${long}!` })
      expect(new TextEncoder().encode(key).byteLength).toBeLessThan(1_500)
      expect(other.key).not.toBe(key)
      expect(Object.keys(readCounterKey(key)?.partition ?? {})).toEqual([...per])
    },
  )

  it.each([
    [{}, true],
    [{ servers: ['books'] }, true],
    [{ servers: ['music'] }, false],
    [{ tools: ['delete_*'] }, true],
    [{ tools: ['delete_'] }, false],
    [{ tools: ['*'] }, true],
    [{ methods: ['tools/*'] }, true],
    [{ methods: ['resources/read'] }, false],
    [{ servers: ['books'], tools: ['read'] }, false],
  ])('%j is about a call of delete_all at books: %s', (match, expected) => {
    expect(matchesTarget(rule(match), call)).toBe(expected)
  })

  it('by tool is about calls of tools alone', () => {
    const list = { server: 'books', method: 'tools/list' }
    expect(matchesTarget(rule({}, ['tool']), list)).toBe(false)
    expect(matchesTarget(rule({ tools: ['*'] }), list)).toBe(false)
    expect(matchesTarget(rule({}, ['server']), list)).toBe(true)
  })

  it('is judged on arrival when it needs no target', () => {
    const rules = [
      rule({}),
      rule({ groups: ['x'] }, ['tenant', 'key']),
      rule({ servers: ['a'] }),
      rule({ methods: ['ping'] }),
      rule({}, ['server']),
      rule({}, ['principal', 'tool']),
      { ...rule({}), enabled: false },
    ]
    const { arriving, targeted } = compileRules(rules)
    expect([arriving.length, targeted.length]).toEqual([2, 4])
  })

  it('weighs those whom it matches, the heaviest counting', () => {
    const weights = [1.5, 4, 2].map((weight, n) => ({
      ...rule(n === 1 ? { groups: ['gold'] } : {}),
      weight,
    }))
    const rules = compileRules(weights)
    expect(rules.weightOf(alice)).toBe(2)
    expect(rules.weightOf(principal('g', 'acme', { groups: ['gold'] }))).toBe(4)
    expect(compileRules([]).weightOf(alice)).toBe(1)
  })

  it('tells its counters apart by what it is counted by, and by nothing else', () => {
    const key = (per: Parameters<typeof ruleOf>[0]['per'], who = alice, tool = 'x') =>
      readCounterKey(ruleCounter(rule({}, per), who, { ...call, tool }).key)?.partition
    expect(key(['tenant'])).toEqual({})
    expect(key(['principal', 'server'])).toEqual({ principal: alice.key, server: 'books' })
    expect(key(['tool', 'server'])).toEqual({ server: 'books', tool: 'x' })
    const claims = { client_id: 'app', azp: 'other' }
    expect(key(['key'], principal('a', 'acme', { claims }))).toEqual({
      key: 'https://idp.example#client:app',
    })
    expect(key(['key'])).toEqual({ key: alice.key })
    const long = key(['tool'], alice, 'y'.repeat(2_000))?.tool ?? ''
    expect(long.length).toBeLessThan(130)
    expect(key(['tool'], alice, `${'y'.repeat(1_999)}z`)?.tool).not.toBe(long)
  })
})

describe('a quota', () => {
  it.each([
    ['day', Date.UTC(2026, 5, 15, 23, 59, 59, 999), Date.UTC(2026, 5, 16)],
    ['month', Date.UTC(2026, 11, 31, 23, 59, 59), Date.UTC(2027, 0, 1)],
    ['month', Date.UTC(2028, 1, 29, 12), Date.UTC(2028, 2, 1)],
  ] as const)('of a %s ends with it, in UTC', (window, late, next) => {
    const limit = { limit: 5, window }
    const full = takePermits(undefined, limit, 9, late)
    expect(full.granted).toBe(5)
    const refused = takePermits(full.state, limit, 1, late)
    expect(refused).toMatchObject({ granted: 0, retryAfterMs: next - late })
    expect(takePermits(full.state, limit, 9, next).granted).toBe(5)
    expect(usedPermits(full.state, window, next)).toBe(0)
  })

  it('is first come, first served, and the other limits go on beside it', async () => {
    const rules = [
      { ...ruleOf({ name: 'a', per: ['tenant'], limit: 50 }), window: 'month' as const },
      ruleOf({ name: 'b', per: ['principal'], limit: 40 }),
    ]
    const { isolate, admit, state } = world({ rules, config: OPEN })
    const limits = isolate()
    expect(await admitted(60, () => admit(limits))).toBe(40)
    expect(await admit(limits)).toMatchObject({ scope: 'rule', rule: 'b' })
    expect(await admitted(60, () => admit(limits, bob))).toBe(10)
    expect(await admit(limits, bob)).toMatchObject({ scope: 'rule', rule: 'a' })
    state.now += 10 * 86_400_000
    expect(await admitted(9, () => admit(limits))).toBe(0)
    state.now = Date.UTC(2026, 6, 1)
    expect(await admitted(9, () => admit(limits))).toBe(9)
  })

  it('counts on when its rule is changed, and anew when its window is', async () => {
    const rules = [{ ...ruleOf({ per: ['principal'], limit: 3 }), window: 'day' as const }]
    const { isolate, admit, setRules } = world({ rules })
    const limits = isolate()
    const [rule] = rules
    if (rule === undefined) throw new Error('a rule')
    expect(await admitted(5, () => admit(limits))).toBe(3)
    setRules([{ ...rule, limit: 5 }])
    expect(await admitted(5, () => admit(limits))).toBe(2)
    setRules([{ ...rule, limit: 5, window: 'month' }])
    expect(await admitted(9, () => admit(limits))).toBe(5)
  })
})

describe('several rules', () => {
  it('are all or nothing, asked in one call, and told by the one that waits longest', async () => {
    const rules = [
      ruleOf({ name: 'wide', per: ['principal'], limit: 1_000 }),
      { ...ruleOf({ name: 'narrow', per: ['key'], limit: 2 }), window: 'day' as const },
    ]
    const { isolate, admit, calls, ctx, state } = world({ rules, config: OPEN })
    const limits = isolate()
    await admit(limits)
    expect(calls.map((requests) => requests.length)).toEqual([4])
    expect(ctx.rateLimit.policy).toBe('"narrow";q=2;w=86400;gatehouse-approx')
    await admit(limits)
    const refused = await admit(limits)
    expect(refused).toEqual({
      ...{ kind: 'limited', scope: 'rule', rule: 'narrow' },
      retryAfterSeconds: (T + 86_400_000 - state.now) / 1_000,
    })
    // What the refused call had taken of the others lies where it was.
    const before = calls.length
    for (let n = 0; n < 50; n += 1) await admit(limits)
    expect(calls.length).toBe(before)
  })

  it('about targets cost nothing where none is, and keep their accounts apart', async () => {
    const none = world({ config: OPEN })
    const limits = none.isolate()
    expect((await none.admitTarget(limits, call)).kind).toBe('admitted')
    expect(none.calls).toEqual([])
    const some = world({ rules: [ruleOf({ per: ['principal', 'tool'], limit: 2 })], config: OPEN })
    const other = some.isolate()
    const tools = ['a', 'b', 'a', 'a', 'b', 'b']
    const kinds = []
    for (const tool of tools) kinds.push((await some.admitTarget(other, { ...call, tool })).kind)
    expect(kinds).toEqual(['admitted', 'admitted', 'admitted', 'limited', 'admitted', 'limited'])
  })

  it('are handed back whole: from leases, from a grant, and while the object is away', async () => {
    const rules = [
      ruleOf({ name: 'tools', per: ['principal', 'tool'], limit: 3 }),
      ruleOf({ name: 'servers', per: ['principal', 'server'], limit: 3 }),
    ]
    const { isolate, ctx, state, settle, rules: compiled } = world({ rules, config: OPEN })
    for (const isDown of [false, true]) {
      Object.assign(state, { isDown, now: state.now + 600_000 })
      const limits = isolate()
      const spend = async (receipt: (() => void)[] = []) =>
        limits.admitTarget(ctx, alice, compiled(), call, receipt)
      for (let again = 0; again < 10; again += 1) {
        const receipt: (() => void)[] = []
        expect((await spend(receipt)).kind).toBe('admitted')
        expect(receipt).toHaveLength(2)
        for (const back of receipt) back()
        await settle()
      }
      expect(await admitted(9, spend)).toBe(3)
    }
  })

  it('are not spent alone of one while another refuses', async () => {
    const rules = [
      ruleOf({ name: 'wide', per: ['tool'], limit: 5 }),
      ruleOf({ name: 'narrow', per: ['server'], limit: 1 }),
    ]
    const { isolate, admitTarget, state } = world({ rules, config: OPEN })
    state.isDown = true
    const limits = isolate()
    const kinds: unknown[] = []
    for (let n = 0; n < 9; n += 1) kinds.push(await admitTarget(limits, call))
    expect(kinds[1]).toMatchObject({ kind: 'limited', rule: 'narrow', isOfServer: true })
    const others = ['b', 'c', 'd', 'e', 'f']
    const count = await admitted(5, () =>
      admitTarget(limits, { ...call, server: others.pop() ?? '' }),
    )
    expect(count).toBe(4)
  })
})
