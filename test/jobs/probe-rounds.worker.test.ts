import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EndpointId } from '../../src/core/index.ts'
import { runHealthRound } from '../../src/jobs/index.ts'
import { createProbeObject } from '../../src/jobs/probe-object.ts'
import { countedDeps, type Subrequests, totalOf } from './subrequests.ts'
import { upstreamOf } from './upstream.ts'

const TENANT = 't-probe-rounds'
const COUNT = 2_000
/** Of one invocation on the free plan. */
const MAX_SUBREQUESTS = 50
/** Alarms are set to this time: none goes off by itself. */
const NEVER = 4_000_000_000_000

/** What is stored of a server of each era; the endpoint's number decides which it is. */
const FACTS = {
  modern: { eras: 'modern', protocolVersions: ['2026-07-28'], sessionful: false },
  legacy: { eras: 'legacy', protocolVersions: ['2025-11-25'], sessionful: true },
  unknown: { eras: 'unknown', protocolVersions: [], sessionful: false },
} as const

let upstream = upstreamOf()
let events: Record<string, unknown>[] = []
/** Of every alarm since the last round. */
let alarms: Subrequests[] = []

const isolate = countedDeps({
  fetcher: (request) => upstream.answer(request),
  onEvent: (event) => events.push(event),
})
const { deps } = isolate

/** The real object, its clock far ahead, each of its alarms counted by itself. */
const ProbeObject = createProbeObject({
  clock: { now: () => NEVER },
  random: deps.random,
  events: deps.events,
  slice() {
    alarms.push(isolate.begin())
    return deps.slice
  },
})

/**
 * The stub of `env.PROBES` behind which this ProbeObject runs instead of the one of src/index.ts,
 * which has no configuration here: same storage, same alarms.
 */
async function probeStub(name: string) {
  const stub = env.PROBES.getByName(name)
  await runInDurableObject(stub, (instance, state) => {
    const probe = new ProbeObject(state, env)
    Object.assign(instance, { alarm: () => probe.alarm() })
  })
  return {
    wake: (ids: readonly EndpointId[]) =>
      runInDurableObject(stub, (_instance, state) => new ProbeObject(state, env).wake(ids)),
    alarm: () => runDurableObjectAlarm(stub),
  }
}

/** One cron event and all alarms that follow from it. Gives what the cron event itself used. */
async function round(): Promise<{ used: Subrequests; names: string[] }> {
  const used = isolate.begin()
  const names: string[] = []
  alarms = []
  events = []
  await runHealthRound({
    events: deps.events,
    random: deps.random,
    listEndpointIds: deps.registry.probes.listEndpointIds,
    probeObject: (name) => ({
      async wake(ids) {
        used.objects += 1
        names.push(name)
        await (await probeStub(name)).wake(ids)
      },
    }),
  })
  for (const name of names) {
    const stub = await probeStub(name)
    while (await stub.alarm());
  }
  return { used, names }
}

async function insertServers(eras: keyof typeof FACTS, from: number, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, index) => ({
    id: crypto.randomUUID(),
    endpoint: crypto.randomUUID(),
    path: `${eras}-${from + index}`,
    url: `https://${eras}-${from + index}.example/mcp`,
  }))
  await env.DB.batch([
    env.DB.prepare(
      `insert into servers (id, tenant, path, name, description, tags, license, owner, visibility,
         allowed_groups, enabled, transport, auth_strategy, headers_sealed, header_names, timeout_ms,
         trust_annotations, provenance, health, upstream, discovered, catalog_hash, discovered_at,
         search_text, created_at, updated_at)
       select value->>'id', ?1, value->>'path', 'n', '', '[]', '', 'o', 'public', '[]', 1,
         'streamable-http', 'none', null, '[]', 30000, 0, '{"source":"manual"}', 'healthy', ?2,
         '{"tools":0,"resources":0,"resourceTemplates":0,"prompts":0}', null, null, '', 1, 1
       from json_each(?3)`,
    ).bind(TENANT, JSON.stringify(FACTS[eras]), JSON.stringify(rows)),
    env.DB.prepare(
      `insert into endpoints (id, server_id, tenant, position, url, weight, health,
         consecutive_failures, consecutive_successes, last_latency_ms, last_probed_at, last_error)
       select value->>'endpoint', value->>'id', ?1, 0, value->>'url', 1, 'healthy', 0, 0, null, null,
         null
       from json_each(?2)`,
    ).bind(TENANT, JSON.stringify(rows)),
  ])
}

/** Of every suite before this one as well: a round covers all tenants. */
const removeServers = () => env.DB.prepare('delete from servers').run()

async function endpointsBy(condition: string): Promise<number> {
  const row = await env.DB.prepare(
    `select count(*) as count from endpoints where tenant = ? and ${condition}`,
  )
    .bind(TENANT)
    .first<{ count: number }>()
  return row?.count ?? 0
}

const mostOf = (list: readonly Subrequests[]) => Math.max(...list.map(totalOf))
const faults = () => events.filter(({ type }) => type === 'fault')

beforeAll(async () => {
  await removeServers()
  await insertServers('modern', 0, COUNT / 2)
  await insertServers('legacy', COUNT / 2, COUNT / 2)
})
afterAll(removeServers)

describe('health rounds over 2,000 endpoints', { timeout: 30_000 }, () => {
  it('use at most 50 subrequests an invocation, and probe every endpoint', async () => {
    // Other suites may have left a few endpoints behind.
    const all = await env.DB.prepare(
      'select count(*) as count from endpoints e join servers s on s.id = e.server_id where s.enabled',
    ).first<{ count: number }>()
    const { used, names } = await round()
    const objects = Math.ceil((all?.count ?? 0) / 100)
    expect(objects).toBeGreaterThanOrEqual(COUNT / 100)
    expect([names.length, used]).toEqual([objects, { fetches: 0, d1: 2, objects }])
    expect(totalOf(used)).toBeLessThanOrEqual(MAX_SUBREQUESTS)

    console.log(
      `health round: ${totalOf(used)} subrequests, ${alarms.length} alarms of at most ${mostOf(alarms)}`,
    )
    expect(mostOf(alarms)).toBeLessThanOrEqual(MAX_SUBREQUESTS)
    expect(faults()).toEqual([])
    expect(await endpointsBy('last_probed_at is not null')).toBe(COUNT)
    expect(await endpointsBy("health = 'healthy' and consecutive_successes = 1")).toBe(COUNT)
    expect(upstream.openSessions()).toBe(0)
  })

  it('stay below it when everything fails, and when everything comes back', async () => {
    await removeServers()
    // The era whose probes take the most.
    await insertServers('legacy', 0, 100)
    upstream = upstreamOf({ isDown: true })
    for (let count = 0; count < 3; count += 1) {
      await round()
      expect(mostOf(alarms)).toBeLessThanOrEqual(MAX_SUBREQUESTS)
    }
    expect(await endpointsBy("health = 'unhealthy' and consecutive_failures = 3")).toBe(100)

    upstream = upstreamOf()
    for (let count = 0; count < 2; count += 1) {
      await round()
      expect(mostOf(alarms)).toBeLessThanOrEqual(MAX_SUBREQUESTS)
    }
    expect(await endpointsBy("health = 'healthy' and consecutive_successes = 2")).toBe(100)
    expect(faults()).toEqual([])
    expect(upstream.openSessions()).toBe(0)
  })
})

describe('rounds that read catalogues', { timeout: 30_000 }, () => {
  it('use at most 50 subrequests an invocation as well, for every era', async () => {
    await removeServers()
    await insertServers('modern', 0, 40)
    await insertServers('legacy', 40, 40)
    await insertServers('unknown', 80, 20)
    upstream = upstreamOf()
    // Every sixth round of an object reads catalogues; these objects are at different counts.
    for (let count = 0; count < 6; count += 1) {
      await round()
      expect(mostOf(alarms)).toBeLessThanOrEqual(MAX_SUBREQUESTS)
      expect(faults()).toEqual([])
    }
    const stored = await env.DB.prepare(
      "select count(distinct server_id) as count from catalog_items where tenant = ? and kind = 'tool'",
    )
      .bind(TENANT)
      .first<{ count: number }>()
    expect(stored?.count).toBe(100)
    expect(upstream.openSessions()).toBe(0)
  })

  it('write a catalogue when its hash changed, and not again', async () => {
    const changes = () => events.filter(({ type }) => type === 'catalog_changed').length
    upstream = upstreamOf({ tools: ['renamed'] })
    const seen: number[] = []
    for (let count = 0; count < 12; count += 1) {
      await round()
      seen.push(changes())
    }
    expect(seen.reduce((sum, count) => sum + count, 0)).toBe(100)
    const { results } = await env.DB.prepare(
      "select distinct key from catalog_items where tenant = ? and kind = 'tool'",
    )
      .bind(TENANT)
      .all()
    expect(results).toEqual([{ key: 'renamed' }])
  })
})
