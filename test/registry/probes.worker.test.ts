import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { EndpointId, ServerId, ServerPath } from '../../src/core/index.ts'
import type { ProbeRecord } from '../../src/registry/index.ts'
import { changesOf, createGateway, DISCOVERY, generationOf, VALID } from './gateway.ts'

const gateway = createGateway('registry-probes')
const { probes } = gateway.registry
let ids: EndpointId[] = []

const found = (endpointId: EndpointId, health: 'healthy' | 'unhealthy'): ProbeRecord => ({
  endpointId,
  health,
  consecutiveFailures: health === 'healthy' ? 0 : 3,
  consecutiveSuccesses: health === 'healthy' ? 2 : 0,
  latencyMs: 12.5,
  probedAt: gateway.state.now,
  error: health === 'healthy' ? null : 'The connection was refused.',
})
const healthOf = async () => (await gateway.send('admins', 'GET', '/servers/clock/health')).body

beforeAll(async () => {
  await gateway.send('admins', 'POST', '/servers', {
    ...VALID,
    headers: { 'X-Key': 'canary' },
    endpoints: [{ url: 'https://a.example/mcp' }, { url: 'https://b.example/mcp' }],
  })
  const disabled = { ...VALID, path: 'disabled', enabled: false }
  await gateway.send('admins', 'POST', '/servers', disabled)
  const shown = await gateway.send('admins', 'GET', '/servers/clock')
  const endpoints = shown.body['endpoints']
  ids = Array.isArray(endpoints) ? endpoints.map(({ id }) => EndpointId.parse(id)) : []
})

describe('health checks', () => {
  it('walk the endpoints of enabled servers in pages', async () => {
    const walked: string[] = []
    let after = ''
    for (;;) {
      const page = await probes.listEndpointIds(2, after)
      if (page.length === 0) break
      walked.push(...page)
      after = page.at(-1) ?? ''
    }
    expect(walked).toEqual([...new Set(walked)].sort())
    expect(walked).toEqual(expect.arrayContaining(ids))
    const off = await env.DB.prepare(
      "select e.id from endpoints e join servers s on s.id = e.server_id where s.path = 'disabled' and s.tenant = 'registry-probes'",
    ).first<{ id: string }>()
    expect(walked).not.toContain(off?.id)
  })

  it('get what they need to reach an endpoint, for more than 100 at once', async () => {
    const unknown = Array.from({ length: 150 }, () => EndpointId.parse(crypto.randomUUID()))
    const targets = await probes.loadProbeTargets(gateway.ctx, [...unknown, ...ids])
    expect(targets.map((target) => target.endpointId).sort()).toEqual([...ids].sort())
    expect(targets[0]).toMatchObject({
      tenant: 'registry-probes',
      path: 'clock',
      headers: [['X-Key', 'canary']],
      timeoutMs: 30_000,
      health: 'healthy',
      upstream: { eras: 'legacy' },
      catalogHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(await probes.loadProbeTargets(gateway.ctx, [])).toEqual([])
  })

  it('leave no change when nothing flipped', async () => {
    const before = await generationOf('registry-probes')
    const flips = await probes.recordProbes(
      gateway.ctx,
      ids.map((id) => found(id, 'healthy')),
    )
    expect(flips).toEqual([])
    expect(await generationOf('registry-probes')).toBe(before)
    expect(await healthOf()).toMatchObject({
      endpoints: [{ lastLatencyMs: 12.5, lastError: null, consecutiveFailures: 0 }, {}],
    })
  })

  it('record a flip: state, generation, change log, event and snapshot', async () => {
    const [first, second] = ids
    if (first === undefined || second === undefined) throw new Error('no endpoints')
    const before = await generationOf('registry-probes')
    const snapshot = await gateway.registry.snapshots.tenant(gateway.ctx, gateway.tenant)
    await snapshot.server(gateway.ctx, 'clock')
    await probes.recordProbes(gateway.ctx, [found(first, 'unhealthy'), found(second, 'healthy')])
    expect(await generationOf('registry-probes')).toBe(before + 1)
    expect(await healthOf()).toMatchObject({
      health: 'healthy',
      endpoints: [{ health: 'unhealthy', lastError: 'The connection was refused.' }, {}],
    })
    expect((await changesOf('registry-probes')).at(-1)).toMatchObject({
      action: 'endpoint.health',
      actor: 'system',
      target: 'clock',
    })
    expect(gateway.events).toContainEqual({
      type: 'health_changed',
      tenant: 'registry-probes',
      server: 'clock',
      endpoint: first,
      health: 'unhealthy',
      reason: 'The connection was refused.',
    })
    const later = await gateway.registry.snapshots.tenant(gateway.ctx, gateway.tenant)
    expect(await later.server(gateway.ctx, 'clock')).toMatchObject({
      endpoints: [{ health: 'unhealthy' }, { health: 'healthy' }],
    })
    await probes.recordProbes(gateway.ctx, [found(second, 'unhealthy')])
    expect(await healthOf()).toMatchObject({ health: 'unhealthy' })
    await probes.recordProbes(gateway.ctx, [found(first, 'healthy')])
    expect(await healthOf()).toMatchObject({ health: 'healthy' })
  })

  it('leave out a server whose headers do not open, and say so', async () => {
    const rotated = createGateway('registry-probes', { secret: 'another secret, quite as long' })
    expect(await rotated.registry.probes.loadProbeTargets(rotated.ctx, ids)).toEqual([])
    expect(rotated.events).toMatchObject([
      { type: 'fault', where: 'registry.probes' },
      { type: 'fault', where: 'registry.probes' },
    ])
  })
})

describe('a refreshed catalogue', () => {
  it('is stored when it differs, whatever the order, and for its own server alone', async () => {
    const targets = await probes.loadProbeTargets(gateway.ctx, ids)
    const target = targets.find(({ endpointId }) => endpointId === ids[0])
    if (target === undefined) throw new Error('no target')
    const reordered = { ...DISCOVERY, tools: [...DISCOVERY.tools].reverse() }
    const generation = await generationOf('registry-probes')
    expect(await probes.storeCatalog(gateway.ctx, target, reordered)).toEqual({ changed: false })
    expect(await generationOf('registry-probes')).toBe(generation)

    const other = { ...DISCOVERY, tools: [{ name: 'new' }] }
    const gone = { ...target, serverId: crypto.randomUUID() }
    expect(await probes.storeCatalog(gateway.ctx, gone, other)).toEqual({ changed: false })
    expect(await probes.storeCatalog(gateway.ctx, target, other)).toEqual({ changed: true })
    expect((await changesOf('registry-probes')).at(-1)).toMatchObject({
      action: 'server.refresh',
      actor: 'system',
    })
    expect(gateway.events).toContainEqual({
      type: 'catalog_changed',
      tenant: 'registry-probes',
      server: 'clock',
    })
    const tools = await gateway.send('admins', 'GET', '/servers/clock/tools')
    expect(tools.body).toMatchObject({ tools: [{ name: 'new' }] })
  })

  it('that is the same is noted as seen: no generation, no change-log row, no other member', async () => {
    const [target] = await probes.loadProbeTargets(gateway.ctx, ids.slice(0, 1))
    if (target === undefined) throw new Error('no target')
    const row = () =>
      env.DB.prepare("select * from servers where tenant = 'registry-probes' and path = 'clock'")
        .first<Record<string, unknown>>()
        .then((found) => found ?? {})
    const same = { ...DISCOVERY, tools: [{ name: 'new' }] }
    await probes.storeCatalog(gateway.ctx, target, same)
    const before = await row()
    const generation = await generationOf('registry-probes')
    const changes = await changesOf('registry-probes')
    gateway.state.now += 3_600_000
    expect(await probes.storeCatalog(gateway.ctx, target, same)).toEqual({ changed: false })
    expect(await row()).toEqual({ ...before, discovered_at: gateway.state.now })
    expect(await generationOf('registry-probes')).toBe(generation)
    expect(await changesOf('registry-probes')).toEqual(changes)
    const [later] = await probes.loadProbeTargets(gateway.ctx, ids.slice(0, 1))
    expect(later?.discoveredAt).toBe(gateway.state.now)
  })

  it('is stored from the first healthy endpoint alone, so that others do not overwrite it', async () => {
    const targets = await probes.loadProbeTargets(gateway.ctx, ids)
    const first = targets.find(({ endpointId }) => endpointId === ids[0])
    const second = targets.find(({ endpointId }) => endpointId === ids[1])
    if (first === undefined || second === undefined) throw new Error('no targets')
    const offering = (name: string) => ({ ...DISCOVERY, tools: [{ name }] })
    const store = (target: typeof first, name: string) =>
      probes.storeCatalog(gateway.ctx, target, offering(name))
    await probes.recordProbes(
      gateway.ctx,
      ids.map((id) => found(id, 'healthy')),
    )
    expect(await store(first, 'a')).toEqual({ changed: true })
    expect(await store(second, 'b')).toEqual({ changed: false })
    await probes.recordProbes(gateway.ctx, [found(first.endpointId, 'unhealthy')])
    expect(await store(second, 'b')).toEqual({ changed: true })
    expect(await store(first, 'a')).toEqual({ changed: false })
    await probes.recordProbes(gateway.ctx, [found(second.endpointId, 'unhealthy')])
    expect(await store(first, 'a')).toEqual({ changed: true })
    const gone = { ...first, endpointId: EndpointId.parse(crypto.randomUUID()) }
    expect(await store(gone, 'c')).toEqual({ changed: false })
  })
})

describe('what is learnt of an upstream later', () => {
  const facts = (version: string) => ({ ...DISCOVERY.facts, protocolVersions: [version] })
  const learnt = async () => {
    gateway.state.now += 1
    const shown = await gateway.send('admins', 'POST', '/servers', { ...VALID, path: 'learnt' })
    return {
      tenant: gateway.tenant,
      path: ServerPath.parse('learnt'),
      id: ServerId.parse(shown.body['id']),
    }
  }

  it('is stored once by two who learn it at the same time, and is no fault of the other', async () => {
    const target = await learnt()
    gateway.state.now += 1
    const store = () => probes.storeFacts(gateway.ctx, target, facts('2026-07-28'))
    const stored = await Promise.all([store(), store()])
    expect(stored).toEqual([{ isStored: true }, { isStored: false }])
    expect(await store()).toEqual({ isStored: false })
    const shown = await gateway.send('admins', 'GET', '/servers/learnt')
    expect(shown.body['upstream']).toMatchObject({ protocolVersions: ['2026-07-28'] })
    const changes = await changesOf('registry-probes')
    const own = changes.filter((change) => change['target'] === 'learnt')
    expect(own.map((change) => change['action'])).toEqual(['server.register', 'server.refresh'])
  })

  it('is not stored of a server that is gone', async () => {
    const target = { tenant: gateway.tenant, path: ServerPath.parse('learnt') }
    const id = ServerId.parse(crypto.randomUUID())
    const stored = await probes.storeFacts(gateway.ctx, { ...target, id }, facts('2025-11-25'))
    expect(stored).toEqual({ isStored: false })
  })

  it('is a fault when the registry cannot be written', async () => {
    const shown = await gateway.send('admins', 'GET', '/servers/learnt')
    const target = {
      tenant: gateway.tenant,
      path: ServerPath.parse('learnt'),
      id: ServerId.parse(shown.body['id']),
    }
    const noTime = { ...gateway.ctx, clock: { now: () => Number.NaN } }
    await expect(probes.storeFacts(noTime, target, facts('2025-06-18'))).rejects.toThrow()
  })
})
