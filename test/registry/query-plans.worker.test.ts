import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import type { EndpointId } from '../../src/core/index.ts'
import { createGateway, DISCOVERY, SEED, VALID } from './gateway.ts'

/** D1 that notes every statement that is bound, so that no query escapes the test below. */
function noting(d1: D1Database, seen: Map<string, unknown[]>): D1Database {
  const prepare = (sql: string): D1PreparedStatement => {
    const statement = d1.prepare(sql)
    const bind = statement.bind.bind(statement)
    statement.bind = (...values: unknown[]) => {
      seen.set(sql, values)
      return bind(...values)
    }
    return statement
  }
  return new Proxy(d1, {
    get(target, name) {
      if (name === 'prepare') return prepare
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

const seen = new Map<string, unknown[]>()
const gateway = createGateway('registry-plans', { d1: noting(env.DB, seen) })

async function plansOf(sql: string, values: readonly unknown[]): Promise<string[]> {
  const { results } = await env.DB.prepare(`explain query plan ${sql}`)
    .bind(...values)
    .all<{ detail: string }>()
  return results.map((row) => row.detail)
}

beforeAll(async () => {
  const { snapshots, probes } = gateway.registry
  await gateway.send('admins', 'PUT', '/policy', SEED)
  await gateway.send('admins', 'GET', '/policy')
  const rule = { name: 'rule', per: ['tenant'], limit: 1, window: 'day' }
  const made = await gateway.send('admins', 'POST', '/limits', rule)
  const limit = `/limits/${made.body['id']}`
  await gateway.send('admins', 'GET', '/limits')
  await gateway.send('admins', 'PATCH', limit, { limit: 2 })
  await gateway.send('admins', 'DELETE', limit)
  await gateway.send('admins', 'POST', '/servers', { ...VALID, tags: ['time'] })
  for (const query of ['', 'tag=time', 'text=clock', 'health=healthy', 'tag=time&health=healthy']) {
    await gateway.send('admins', 'GET', `/servers?${query}`)
  }
  for (const of of ['', '/tools', '/health']) {
    await gateway.send('admins', 'GET', `/servers/clock${of}`)
  }
  await gateway.send('admins', 'PATCH', '/servers/clock', {
    tags: ['a'],
    endpoints: [{ url: 'https://other.example/mcp' }],
  })
  await gateway.send('admins', 'POST', '/servers/clock/toggle')
  await gateway.send('admins', 'POST', '/servers/clock/toggle')
  await gateway.send('admins', 'POST', '/servers/clock/refresh')
  const snapshot = await snapshots.tenant(gateway.ctx, gateway.tenant)
  const record = await snapshot.server(gateway.ctx, 'clock')
  const endpointId = record?.endpoints[0]?.id
  await probes.listEndpointIds(2000)
  const ids: EndpointId[] = endpointId === undefined ? [] : [endpointId]
  const [target] = await probes.loadProbeTargets(gateway.ctx, ids)
  if (endpointId === undefined || target === undefined) throw new Error('nothing to probe')
  await probes.recordProbes(gateway.ctx, [
    {
      endpointId,
      health: 'unhealthy',
      consecutiveFailures: 3,
      consecutiveSuccesses: 0,
      latencyMs: null,
      probedAt: gateway.state.now,
      error: 'down',
    },
  ])
  await probes.storeCatalog(gateway.ctx, target, { ...DISCOVERY, tools: [] })
  await probes.storeCatalog(gateway.ctx, target, { ...DISCOVERY, tools: [] })
  const desk = '/virtual-servers/desk'
  const items = { tools: [{ server: 'clock', name: 'now' }] }
  const virtual = { path: 'desk', name: 'Desk', ...items }
  await gateway.send('admins', 'POST', '/virtual-servers', virtual)
  await gateway.send('admins', 'GET', '/virtual-servers')
  await gateway.send('admins', 'GET', desk)
  await gateway.send('admins', 'PUT', desk, virtual)
  await gateway.send('admins', 'PATCH', desk, { name: 'New', ...items })
  const fleet = { selector: 'where', members: [{ value: 'here', server: 'clock' }] }
  for (const change of [{ tools: [] }, { fleets: [fleet] }]) {
    await gateway.send('admins', 'PATCH', desk, change)
  }
  await gateway.send('admins', 'POST', `${desk}/toggle`)
  await gateway.send('admins', 'POST', `${desk}/repin`)
  for (const of of ['', '/clock', '/clock/health']) {
    await gateway.send('admins', 'GET', `/services${of}`)
  }
  const later = await snapshots.tenant(gateway.ctx, gateway.tenant)
  await later.endpoint(gateway.ctx, 'desk')
  const index = await later.index(gateway.ctx)
  const { catalog } = gateway.registry
  const { heads } = await catalog.part(gateway.ctx, gateway.tenant, index, 'resource')
  const definitions = await catalog.definitions(gateway.ctx, gateway.tenant, 'resource', heads)
  expect(definitions.size).toBe(1)
  for (const wanted of [
    { kind: 'tool', key: 'now' },
    { kind: 'tag', key: 'a' },
  ] as const) {
    expect(await later.offers(gateway.ctx, wanted)).toHaveLength(wanted.kind === 'tag' ? 1 : 0)
  }
  const { offers } = gateway.registry
  expect(await offers.keys(gateway.tenant, 'resource', '', 10)).toHaveLength(1)
  expect(await offers.ofKeys(gateway.tenant, 'tool', ['now'], 10)).toEqual([])
  await gateway.send('admins', 'DELETE', desk)
  await gateway.send('admins', 'DELETE', '/servers/clock')
  await gateway.registry.status(gateway.ctx)
})

/** `/health` counts every server, over the smallest index and at most every 5 s an isolate. */
const COUNTING = 'SCAN servers USING COVERING INDEX servers_health'

describe('every statement of the registry', () => {
  it('is seen by this test', () => {
    expect(seen.size).toBeGreaterThan(40)
  })

  it('finds its rows by an index, and never scans or sorts a table', async () => {
    const bad: string[] = []
    for (const [sql, values] of seen) {
      for (const detail of await plansOf(sql, values)) {
        const isScan =
          /^SCAN /.test(detail) && !/VIRTUAL TABLE|CONSTANT ROW|VALUES CLAUSE/.test(detail)
        if (detail === COUNTING) continue
        if (isScan || /TEMP B-TREE/.test(detail)) bad.push(`${detail} <- ${sql}`)
      }
    }
    expect(bad).toEqual([])
  })

  it('looks for items by their name only where it has one', async () => {
    const byName: string[] = []
    for (const [sql, values] of seen) {
      for (const detail of await plansOf(sql, values)) {
        if (detail.includes('catalog_items_offers')) byName.push(`${detail} <- ${sql}`)
      }
    }
    expect(byName.length).toBeGreaterThan(0)
    expect(byName.filter((plan) => !/tenant=\? AND kind=\? AND key[=>]/.test(plan))).toEqual([])
  })

  it('binds at most 100 parameters', () => {
    expect(Math.max(...[...seen.values()].map((values) => values.length))).toBeLessThanOrEqual(100)
  })

  it('is for one tenant, but for those of the health checks', () => {
    const ofOneTenant = /^insert |"tenant" = \?|"tenants"\."id" = \?/
    const acrossTenants = [...seen.keys()].filter((sql) => !ofOneTenant.test(sql))
    expect(acrossTenants.map((sql) => sql.replace(/\s+/g, ' ').slice(0, 41)).sort()).toEqual([
      'select "endpoints"."id" from "endpoints" ',
      'select "endpoints"."id", "endpoints"."ser',
      'select "health", count(*) from "servers" ',
      'update "endpoints" set "health" = probe.v',
    ])
  })
})
