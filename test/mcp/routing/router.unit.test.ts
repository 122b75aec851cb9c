import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  EndpointId,
  ServerId,
  ServerPath,
  systemRandom,
  TenantId,
} from '../../../src/core/index.ts'
import { createRouter } from '../../../src/mcp/routing/router.ts'
import { routingNote } from '../../../src/mcp/routing/routing-note.ts'
import { type Actor, parsePolicySeed, rightsOf } from '../../../src/policy/index.ts'
import type { Offer } from '../../../src/registry/index.ts'
import { createLoad } from '../../../src/resilience/index.ts'

const ALLOWED = ['a', 'b', 'c']
const HIDDEN = ['h', 'i', 'j']

const document = parsePolicySeed({
  group_mappings: { some: ['some'] },
  some: ALLOWED.map((server) => ({ server, methods: ['tools/call'], tools: ['search'] })),
})
const principal = {
  issuer: 'https://idp.example',
  subject: 's',
  key: 'k',
  kind: 'user',
  tenant: TenantId.parse('t'),
  groups: ['some'],
  scopes: [],
  expiresAt: 0,
} as const
const actor: Actor = {
  principal: principal as unknown as Actor['principal'],
  rights: rightsOf(principal as unknown as Actor['principal'], document, { bootstrap: false }),
}

const offer = (path: string, change: Partial<Offer> = {}): Offer => ({
  key: 'search',
  definition: 'one',
  serverId: ServerId.parse(crypto.randomUUID()),
  path: ServerPath.parse(path),
  owner: 'x',
  visibility: 'public',
  allowedGroups: [],
  tags: [],
  health: 'healthy',
  registeredAt: 1,
  endpoints: [
    { id: EndpointId.parse(crypto.randomUUID()), health: 'healthy', weight: 1, lastLatencyMs: 10 },
  ],
  ...change,
})
const offers = (paths: readonly string[]) =>
  fc.subarray([...paths]).chain((chosen) =>
    fc.tuple(
      ...chosen.map((path) =>
        fc
          .record({
            definition: fc.constantFrom('one', 'two'),
            registeredAt: fc.nat(3),
            health: fc.constantFrom('healthy', 'unhealthy', 'unknown'),
            tags: fc.subarray(['t', 'u']),
          })
          .map((change) => offer(path, change)),
      ),
    ),
  )

const ctx = { clock: { now: () => 0 } } as Parameters<ReturnType<typeof createRouter>['choose']>[0]
const router = createRouter({ breakers: { peek: () => 'closed' } })
const request = {
  actor,
  wanted: { kind: 'tool', key: 'search' },
  method: 'tools/call',
  wish: {},
} as const

describe('the router', () => {
  it('tells the same of whatever its caller may not use', () => {
    const wish = fc.record(
      {
        tag: fc.constantFrom('t', 'u'),
        definition: fc.constantFrom('any' as const),
        prefer: fc.constantFrom(['h', 'b'].map((path) => ServerPath.parse(path))),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(offers(ALLOWED), offers(HIDDEN), wish, (seen, hidden, wished) => {
        const asked = { ...request, wish: wished }
        const without = router.choose(ctx, asked, seen)
        expect(router.choose(ctx, asked, [...hidden, ...seen])).toEqual(without)
        if (without.kind !== 'ranked') return
        const note = JSON.stringify(routingNote(without, without.ranked[0]?.server ?? ''))
        for (const path of HIDDEN) expect(note).not.toContain(`"server":"${path}"`)
      }),
    )
  })

  it('has a newcomer with another definition take nothing', () => {
    fc.assert(
      fc.property(offers(['a', 'b']), (seen) => {
        const before = router.choose(ctx, request, seen)
        const late = offer('c', { definition: 'three', registeredAt: 9 })
        const after = router.choose(ctx, request, [...seen, late])
        if (before.kind !== 'ranked' || after.kind !== 'ranked') return
        expect(after.ranked).toEqual(before.ranked)
        expect(after.definition).toBe(before.definition)
      }),
    )
  })

  it('takes the definition that its caller names, of whoever has it', () => {
    const all = [offer('a'), offer('b', { definition: 'two', registeredAt: 2 })]
    const hash = '2'.repeat(64)
    const named = router.choose(ctx, { ...request, wish: { definition: hash } }, [
      ...all,
      offer('c', { definition: hash }),
    ])
    expect(named).toMatchObject({ kind: 'ranked', ranked: [{ server: 'c' }] })
    expect(router.choose(ctx, request, all)).toMatchObject({
      ranked: [{ server: 'a' }],
      others: [{ server: 'b' }],
    })
  })

  it('measures by what the isolate knows, and by the last health check where it knows nothing', () => {
    const [a, b] = [offer('a'), offer('b')]
    const slow = a.endpoints[0]?.id
    const measured = createRouter({
      breakers: { peek: () => 'closed' },
      load: { peekLatencyMs: (endpoint) => (endpoint === slow ? 5_000 : undefined) },
    })
    expect(measured.choose(ctx, request, [a, b])).toMatchObject({
      ranked: [
        { server: 'b', latencyMs: 10 },
        { server: 'a', latencyMs: 5_000 },
      ],
    })
  })

  it('has no call told to other isolates because its server was ranked', () => {
    const told: unknown[] = []
    const load = createLoad({
      events: { emit: () => undefined },
      object: () => ({
        load: async (report) => {
          told.push(report)
          return { inFlight: 0 }
        },
      }),
    })
    const ranking = createRouter({ breakers: { peek: () => 'closed' }, load })
    const one = offer('a')
    const [endpoint] = one.endpoints
    if (!endpoint) throw new Error('no endpoint')
    const calling = {
      ...ctx,
      ...{ clock: { now: () => 1_000 }, random: systemRandom, requestId: 'r' },
      waitUntil: () => undefined,
    }
    ranking.choose(calling, request, [one])
    load.begin(calling, endpoint.id)(70)
    expect(ranking.choose(calling, request, [one])).toMatchObject({ ranked: [{ latencyMs: 70 }] })
    load.begin(calling, endpoint.id)(70)
    expect(told).toEqual([])
  })

  it('counts the endpoints that a call could go to', () => {
    const two = offer('a')
    const [open] = two.endpoints
    const other = {
      id: EndpointId.parse(crypto.randomUUID()),
      health: 'healthy',
      weight: 3,
    } as const
    const both = { ...two, endpoints: [...two.endpoints, { ...other, lastLatencyMs: 50 }] }
    const tripped = createRouter({
      breakers: { peek: (endpoint) => (endpoint === open?.id ? 'open' : 'closed') },
    })
    expect(tripped.choose(ctx, request, [both])).toMatchObject({
      ranked: [{ breaker: 'closed', latencyMs: 50, weight: 3 }],
    })
    expect(tripped.choose(ctx, request, [two])).toMatchObject({
      ranked: [{ breaker: 'open', latencyMs: undefined, weight: 0 }],
    })
  })
})
