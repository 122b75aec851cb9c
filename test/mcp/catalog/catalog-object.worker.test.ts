import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  countWaiting,
  EndpointId,
  ServerId,
  ServerPath,
  systemRandom,
  TenantId,
} from '../../../src/core/index.ts'
import { jobContext } from '../../../src/jobs/index.ts'
import { createCatalogObject } from '../../../src/mcp/catalog/catalog-object.ts'
import type { CatalogTarget, RefreshOutcome } from '../../../src/mcp/catalog/live-catalog.ts'
import { DEFAULT_BREAKER } from '../../../src/resilience/index.ts'
import { countedDeps, type Subrequests } from '../../jobs/subrequests.ts'
import { upstreamOf } from '../../jobs/upstream.ts'

const TENANT = TenantId.parse('t-catalog-object')
const FAILURE_MS = 30_000
const FRESH_MS = 5 * 60_000
const LOST = 'The connection failed or was closed before a response came.'

let upstream = upstreamOf()
/** Hosts that refuse every connection. */
let refusing: readonly string[] = []
/** Every request waits for it. */
let gate: Promise<void> = Promise.resolve()
let events: Record<string, unknown>[] = []
let used: Subrequests
/** Far ahead: no alarm goes off by itself. */
let now = 4_000_000_000_000
const asked: string[] = []

const fetcher = countWaiting(async (request) => {
  const { hostname } = new URL(request.url)
  asked.push(hostname)
  await gate
  if (refusing.includes(hostname)) throw new Error('Network connection lost.')
  return upstream.answer(request)
})
const isolate = countedDeps({ fetcher, onEvent: (event) => events.push(event) })
const clock = { now: () => now }
const context = (waitUntil: (work: Promise<unknown>) => void) =>
  jobContext({ clock, random: systemRandom }, waitUntil)

/** The real object with a clock that tests move, in place of the one of src/index.ts. */
const CatalogObject = createCatalogObject({
  clock,
  events: isolate.deps.events,
  context,
  wiring: () => isolate.deps.slice,
})

/** One object; `evict` makes it forget what only its memory holds. */
function catalogOf({ serverId }: CatalogTarget) {
  const stub = env.CATALOGS.getByName(`${serverId}/shared`)
  let object: InstanceType<typeof CatalogObject> | undefined
  return {
    refresh: (target: CatalogTarget): Promise<RefreshOutcome> =>
      runInDurableObject(stub, (_instance, state) => {
        object ??= new CatalogObject(state, env)
        return object.refresh(target)
      }),
    evict(): void {
      object = undefined
    },
    alarm: () => runDurableObjectAlarm(stub),
    isEmpty: () =>
      runInDurableObject(stub, async (_instance, state) => (await state.storage.list()).size === 0),
  }
}

/** A registered server that was never reached; one endpoint per host. */
async function insertServer(path: string, hosts: readonly string[]): Promise<CatalogTarget> {
  const serverId = ServerId.parse(crypto.randomUUID())
  const endpointIds = hosts.map(() => EndpointId.parse(crypto.randomUUID()))
  const facts = { eras: 'unknown', protocolVersions: [], sessionful: false }
  await env.DB.batch([
    env.DB.prepare(
      `insert into servers (id, tenant, path, name, description, tags, license, owner, visibility,
         allowed_groups, enabled, transport, auth_strategy, headers_sealed, header_names, timeout_ms,
         trust_annotations, provenance, health, upstream, discovered, catalog_hash, discovered_at,
         search_text, created_at, updated_at)
       values (?, ?, ?, 'n', '', '[]', '', 'o', 'public', '[]', 1, 'streamable-http', 'none', null,
         '[]', 30000, 0, '{"source":"manual"}', 'unhealthy', ?,
         '{"tools":0,"resources":0,"resourceTemplates":0,"prompts":0}', null, null, '', 1, 1)`,
    ).bind(serverId, TENANT, path, JSON.stringify(facts)),
    ...hosts.map((host, position) =>
      env.DB.prepare(
        `insert into endpoints (id, server_id, tenant, position, url, weight, health,
           consecutive_failures, consecutive_successes, last_latency_ms, last_probed_at, last_error)
         values (?, ?, ?, ?, ?, 1, 'unhealthy', 1, 0, null, null, 'down')`,
      ).bind(endpointIds[position], serverId, TENANT, position, `https://${host}.example/mcp`),
    ),
  ])
  return { tenant: TENANT, path: ServerPath.parse(path), serverId, endpointIds }
}

const storedTools = async ({ serverId }: CatalogTarget): Promise<unknown[]> => {
  const { results } = await env.DB.prepare(
    "select key from catalog_items where server_id = ? and kind = 'tool' order by position",
  )
    .bind(serverId)
    .all<{ key: string }>()
  return results.map(({ key }) => key)
}

const healthOf = async ({ serverId }: CatalogTarget): Promise<unknown> =>
  (await env.DB.prepare('select health from servers where id = ?').bind(serverId).first())?.[
    'health'
  ]

const generationOf = async (): Promise<unknown> =>
  (await env.DB.prepare('select generation from tenants where id = ?').bind(TENANT).first())?.[
    'generation'
  ]

const eventsOf = (type: string) => events.filter((event) => event['type'] === type)

beforeEach(() => {
  upstream = upstreamOf()
  refusing = []
  gate = Promise.resolve()
  events = []
  asked.length = 0
  used = isolate.begin()
  now += 10 * FAILURE_MS
})

describe('the catalogue object', () => {
  it.each(['modern', 'legacy'])(
    'stores what a %s server offers, and says when nothing changed',
    async (era) => {
      const target = await insertServer(`stores-${era}`, [`${era}-stores`])
      const catalog = catalogOf(target)
      expect(await catalog.refresh(target)).toEqual({ kind: 'stored' })
      expect(await storedTools(target)).toEqual(['echo'])
      expect(await healthOf(target)).toBe('healthy')
      expect(eventsOf('catalog_changed')).toMatchObject([{ server: `stores-${era}` }])

      now += FRESH_MS
      expect(await catalog.refresh(target)).toEqual({ kind: 'unchanged', checkedAt: now })
      upstream = upstreamOf({ tools: ['renamed'] })
      now += FRESH_MS
      expect(await catalog.refresh(target)).toEqual({ kind: 'stored' })
      expect(await storedTools(target)).toEqual(['renamed'])
      expect(eventsOf('fault')).toEqual([])
      expect(fetcher.most()).toBe(1)
    },
  )

  it('asks nobody while what is stored is younger than five minutes, also when it was evicted', async () => {
    const target = await insertServer('fresh', ['modern-fresh'])
    const catalog = catalogOf(target)
    await catalog.refresh(target)
    const generation = await generationOf()
    now += FRESH_MS
    const checkedAt = now
    expect(await catalog.refresh(target)).toEqual({ kind: 'unchanged', checkedAt })
    asked.length = 0
    // Each isolate whose index is older than that asks again.
    for (let passed = 0; passed + 31_000 < FRESH_MS; passed += 31_000) {
      now += 31_000
      catalog.evict()
      expect(await catalog.refresh(target)).toEqual({ kind: 'unchanged', checkedAt })
    }
    expect(asked).toEqual([])
    expect(await generationOf()).toBe(generation)
    now = checkedAt + FRESH_MS
    expect(await catalog.refresh(target)).toEqual({ kind: 'unchanged', checkedAt: now })
    expect(asked).not.toEqual([])
  })

  it('asks the server once for all who ask at the same time', async () => {
    const alone = await insertServer('alone', ['modern-alone'])
    await catalogOf(alone).refresh(alone)
    const { fetches } = used

    used = isolate.begin()
    const target = await insertServer('wanted', ['modern-wanted'])
    const catalog = catalogOf(target)
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => catalog.refresh(target)))
    expect(outcomes).toEqual(Array.from({ length: 20 }, () => ({ kind: 'stored' })))
    expect(used.fetches).toBe(fetches)
    expect(fetcher.most()).toBe(1)
  })

  it('remembers a failure for 30 seconds, also when it was evicted, and then asks again', async () => {
    const target = await insertServer('failing', ['modern-failing'])
    const catalog = catalogOf(target)
    refusing = ['modern-failing.example']
    const failed = { kind: 'failed', reason: LOST }
    expect(await catalog.refresh(target)).toEqual(failed)
    expect(eventsOf('catalog_refresh_failed')).toMatchObject([
      { tenant: TENANT, server: 'failing', reason: LOST },
    ])

    asked.length = 0
    refusing = []
    expect(await catalog.refresh(target)).toEqual(failed)
    now += FAILURE_MS - 1
    catalog.evict()
    expect(await catalog.refresh(target)).toEqual(failed)
    expect(asked).toEqual([])
    expect(eventsOf('catalog_refresh_failed')).toHaveLength(1)

    now += 1
    expect(await catalog.refresh(target)).toEqual({ kind: 'stored' })
    expect(await storedTools(target)).toEqual(['echo'])
  })

  it('forgets everything when its alarm goes off', async () => {
    const target = await insertServer('forgets', ['modern-forgets'])
    const catalog = catalogOf(target)
    refusing = ['modern-forgets.example']
    await catalog.refresh(target)
    expect(await catalog.isEmpty()).toBe(false)
    expect(await catalog.alarm()).toBe(true)
    expect(await catalog.isEmpty()).toBe(true)
  })

  it('tries the endpoints in their order until one answers', async () => {
    const target = await insertServer('several', ['modern-first', 'modern-second', 'modern-third'])
    refusing = ['modern-first.example']
    expect(await catalogOf(target).refresh(target)).toEqual({ kind: 'stored' })
    expect([...new Set(asked)]).toEqual(['modern-first.example', 'modern-second.example'])
    const { results } = await env.DB.prepare(
      'select health, consecutive_failures as failures from endpoints where server_id = ? order by position',
    )
      .bind(target.serverId)
      .all()
    expect(results).toEqual([
      { health: 'unhealthy', failures: 2 },
      { health: 'healthy', failures: 0 },
      { health: 'unhealthy', failures: 1 },
    ])
  })

  it('tells the breakers, and leaves an endpoint alone whose breaker is open', async () => {
    const target = await insertServer('broken', ['modern-broken'])
    const catalog = catalogOf(target)
    const [endpoint] = target.endpointIds
    if (!endpoint) throw new Error('it has an endpoint')
    refusing = ['modern-broken.example']
    for (let count = 0; count < DEFAULT_BREAKER.failureThreshold; count += 1) {
      expect(await catalog.refresh(target)).toEqual({ kind: 'failed', reason: LOST })
      now += FAILURE_MS
    }
    now -= FAILURE_MS
    expect(isolate.deps.slice.breakers.peek(endpoint, now)).toBe('open')

    await catalog.alarm()
    asked.length = 0
    const reason = 'It failed again and again, and is left alone for a while.'
    expect(await catalog.refresh(target)).toEqual({ kind: 'failed', reason })
    expect(asked).toEqual([])
  })

  it('goes on when nobody waits any more', async () => {
    const target = await insertServer('slow', ['modern-slow'])
    const catalog = catalogOf(target)
    let open: () => void = () => undefined
    gate = new Promise((resolve) => {
      open = resolve
    })
    const abandoned = catalog.refresh(target)
    open()
    await Promise.race([abandoned, Promise.resolve()])
    await expect.poll(() => storedTools(target)).toEqual(['echo'])
  })

  it('refuses a catalogue over its bounds with the reason, and that says nothing of health', async () => {
    const target = await insertServer('greedy', ['modern-greedy'])
    upstream = upstreamOf({ tools: Array.from({ length: 2_001 }, (_, index) => `tool-${index}`) })
    const outcome = await catalogOf(target).refresh(target)
    expect(outcome).toEqual({ kind: 'failed', reason: expect.stringContaining('2000') })
    expect(await storedTools(target)).toEqual([])
    expect(await healthOf(target)).toBe('healthy')
    expect(eventsOf('fault')).toEqual([])
  })

  it('asks only endpoints of its own server', async () => {
    const target = await insertServer('mine', ['modern-mine'])
    const other = await insertServer('theirs', ['modern-theirs'])
    const mixed = { ...target, endpointIds: other.endpointIds }
    expect(await catalogOf(target).refresh(mixed)).toMatchObject({ kind: 'failed' })
    expect(asked).toEqual([])
  })
})
