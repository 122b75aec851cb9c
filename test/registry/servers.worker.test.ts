import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  changesOf,
  createGateway,
  DISCOVERY,
  generationOf,
  isDown,
  type TestGateway,
  VALID,
} from './gateway.ts'

let suite = 0
let gateway: TestGateway

beforeEach(() => {
  suite += 1
  gateway = createGateway(`registry-servers-${suite}`)
})

const register = (input: object = {}, query = '') =>
  gateway.send('admins', 'POST', `/servers${query}`, { ...VALID, ...input })

describe('registering a server', () => {
  it('stores it with what the upstream offers and answers 201 with the counts', async () => {
    const answer = await register({ tags: ['time'], headers: { 'X-Key': 'canary-value' } })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('location')).toBe('/servers/clock')
    expect(answer.body).toMatchObject({
      path: 'clock',
      enabled: true,
      visibility: 'public',
      timeoutMs: 30_000,
      health: 'healthy',
      headers: ['X-Key'],
      provenance: { source: 'manual' },
      upstream: { eras: 'legacy', protocolVersions: ['2025-11-25'] },
      discovered: { tools: 2, resources: 1, resourceTemplates: 1, prompts: 0 },
    })
    const [endpoint] = answer.body['endpoints'] as { id: string }[]
    expect(gateway.asked).toEqual([
      {
        endpoint: endpoint?.id,
        transports: ['streamable-http', 'sse'],
        url: 'https://clock.example/mcp',
        headers: [['X-Key', 'canary-value']],
        timeoutMs: 15_000,
      },
    ])
    const shown = await gateway.send('admins', 'GET', '/servers/clock')
    expect(shown.status).toBe(200)
    expect(shown.body).toEqual(answer.body)
  })

  it('leaves a change-log row and the next generation', async () => {
    await register()
    const [change, ...others] = await changesOf(gateway.tenant)
    expect(others).toEqual([])
    expect(change).toMatchObject({
      action: 'server.register',
      target: 'clock',
      request_id: 'request-1',
      actor: (await gateway.actorOf('admins')).principal.key,
    })
    expect(await generationOf(gateway.tenant)).toBe(1)
  })

  it('refuses a path that is taken with 409, and stores nothing', async () => {
    await register()
    gateway.asked.length = 0
    const answer = await register({ name: 'Other' })
    expect(answer).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: 'The path "clock" is taken.' },
    })
    expect(gateway.asked).toEqual([])
    expect(await changesOf(gateway.tenant)).toHaveLength(1)
  })

  it('refuses the slower of two registrations of one path with 409', async () => {
    gateway.state.discover = () => DISCOVERY
    const answers = await Promise.all([register(), register({ name: 'Other' })])
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409])
    expect(await changesOf(gateway.tenant)).toHaveLength(1)
  })

  it('lets another tenant have the same path', async () => {
    await register()
    const other = createGateway(`${gateway.tenant}-other`)
    const answer = await other.send('admins', 'POST', '/servers', VALID)
    expect(answer.status).toBe(201)
  })

  it('answers 422 saying what failed when no endpoint answers, and stores nothing', async () => {
    gateway.state.discover = isDown
    const answer = await register({
      endpoints: [{ url: 'https://clock.example/mcp?profile=canary' }],
    })
    expect(answer).toMatchObject({
      status: 422,
      body: {
        code: 'upstream_unreachable',
        detail: 'No endpoint answered. https://clock.example/mcp: The connection was refused.',
        endpoints: [
          { endpoint: 'https://clock.example/mcp', problem: 'The connection was refused.' },
        ],
      },
    })
    expect((await gateway.send('admins', 'GET', '/servers/clock')).status).toBe(404)
    expect(await changesOf(gateway.tenant)).toEqual([])
  })

  it('stores a server that is down as unhealthy with allowUnreachable', async () => {
    gateway.state.discover = isDown
    const answer = await register({}, '?allowUnreachable=true')
    expect(answer).toMatchObject({
      status: 201,
      body: { health: 'unhealthy', discoveredAt: null, discovered: { tools: 0 } },
    })
    const health = await gateway.send('admins', 'GET', '/servers/clock/health')
    expect(health.body).toMatchObject({
      health: 'unhealthy',
      endpoints: [{ health: 'unhealthy', lastError: 'The connection was refused.' }],
    })
  })

  it('takes the facts of the first endpoint that answers and marks the others', async () => {
    gateway.state.discover = (url) => (url.includes('down') ? isDown() : DISCOVERY)
    const answer = await register({
      endpoints: [
        { url: 'https://down.example/mcp' },
        { url: 'https://up.example/mcp', weight: 5 },
      ],
    })
    expect(answer).toMatchObject({
      status: 201,
      body: {
        health: 'healthy',
        endpoints: [
          { url: 'https://down.example/mcp', weight: 1, health: 'unhealthy' },
          { url: 'https://up.example/mcp', weight: 5, health: 'healthy' },
        ],
      },
    })
  })

  it('stores 2,000 tools, ten endpoints and 20 tags', async () => {
    gateway.state.discover = () => ({
      ...DISCOVERY,
      tools: Array.from({ length: 2000 }, (_, index) => ({
        name: `tool-${index}`,
        description: `"quoted" \u00e9 ${'x'.repeat(1500)}`,
        inputSchema: { type: 'object' },
      })),
    })
    const answer = await register({
      tags: Array.from({ length: 20 }, (_, index) => `tag-${index}`),
      endpoints: Array.from({ length: 10 }, (_, index) => ({ url: `https://c${index}.example/` })),
    })
    expect(answer).toMatchObject({ status: 201, body: { discovered: { tools: 2000 } } })
    const snapshot = await gateway.registry.snapshots.tenant(gateway.ctx, gateway.tenant)
    const record = await snapshot.server(gateway.ctx, 'clock')
    expect(record?.tools.size).toBe(2000)
    expect(record?.endpoints).toHaveLength(10)
  })

  it.each([
    ['more than 2,000 tools', () => Array.from({ length: 2001 }, (_, i) => ({ name: `t${i}` }))],
    ['a definition over 256 KiB', () => [{ name: 'big', description: 'x'.repeat(263_000) }]],
    [
      'definitions over 8 MiB together',
      () => Array.from({ length: 40 }, (_, i) => ({ name: `t${i}`, d: 'x'.repeat(250_000) })),
    ],
    [
      'a definition that is very deep',
      () => [{ name: 'deep', inputSchema: JSON.parse('[['.repeat(5000) + ']]'.repeat(5000)) }],
    ],
  ])('refuses an upstream with %s', async (_what, tools) => {
    gateway.state.discover = () => ({ ...DISCOVERY, tools: tools() })
    const answer = await register({}, '?allowUnreachable=true')
    expect(answer).toMatchObject({ status: 502, body: { code: 'upstream_failed' } })
    expect(await changesOf(gateway.tenant)).toEqual([])
  })

  it('reports a fault of our own as internal and stores nothing', async () => {
    gateway.state.discover = () => {
      throw new TypeError('a bug')
    }
    const answer = await register({}, '?allowUnreachable=true')
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } })
  })
})

describe('changing a server', () => {
  beforeEach(async () => {
    await register({ tags: ['time'], headers: { 'X-Key': 'one', 'X-Other': 'two' } })
    gateway.asked.length = 0
  })

  it('patches the named members and nothing else, without asking the upstream', async () => {
    const answer = await gateway.send('admins', 'PATCH', '/servers/clock', {
      description: 'Tells the time',
      tags: ['clock'],
    })
    expect(answer).toMatchObject({
      status: 200,
      body: { name: 'Clock', description: 'Tells the time', tags: ['clock'], health: 'healthy' },
    })
    expect(gateway.asked).toEqual([])
    const [, change] = await changesOf(gateway.tenant)
    expect(change).toMatchObject({
      action: 'server.update',
      summary: JSON.stringify({ changed: ['description', 'tags'], rediscovered: false }),
    })
    const byTag = await gateway.send('admins', 'GET', '/servers?tag=clock')
    expect(byTag.body).toMatchObject({ servers: [{ path: 'clock' }] })
    expect((await gateway.send('admins', 'GET', '/servers?tag=time')).body).toEqual({ servers: [] })
  })

  it('asks the upstream again when an endpoint changes, and keeps the ids of those that stay', async () => {
    const before = await gateway.send('admins', 'GET', '/servers/clock')
    gateway.state.discover = () => ({ ...DISCOVERY, tools: [{ name: 'only' }] })
    const answer = await gateway.send('admins', 'PATCH', '/servers/clock', {
      endpoints: [
        { url: 'https://second.example/mcp' },
        { url: 'https://clock.example/mcp', weight: 3 },
      ],
    })
    expect(answer).toMatchObject({ status: 200, body: { discovered: { tools: 1 } } })
    const [known] = Array.isArray(before.body['endpoints']) ? before.body['endpoints'] : []
    expect(answer.body['endpoints']).toMatchObject([
      { url: 'https://second.example/mcp' },
      { id: known.id, weight: 3 },
    ])
    expect(gateway.asked).toMatchObject([
      {
        headers: [
          ['X-Key', 'one'],
          ['X-Other', 'two'],
        ],
      },
      { url: 'https://clock.example/mcp' },
    ])
    expect(gateway.events).toContainEqual({
      type: 'catalog_changed',
      tenant: gateway.tenant,
      server: 'clock',
    })
  })

  it('leaves everything as it was when the new endpoint is down', async () => {
    gateway.state.discover = isDown
    const patch = { endpoints: [{ url: 'https://down.example/mcp' }] }
    const refused = await gateway.send('admins', 'PATCH', '/servers/clock', patch)
    expect(refused).toMatchObject({ status: 422, body: { code: 'upstream_unreachable' } })
    expect(await changesOf(gateway.tenant)).toHaveLength(1)
    const allowed = '/servers/clock?allowUnreachable=true'
    const stored = await gateway.send('admins', 'PATCH', allowed, patch)
    expect(stored).toMatchObject({ status: 200, body: { health: 'unhealthy' } })
  })

  it('sets and removes single headers in a patch', async () => {
    const answer = await gateway.send('admins', 'PATCH', '/servers/clock', {
      headers: { 'x-key': 'new', 'X-Other': null },
    })
    expect(answer).toMatchObject({ status: 200, body: { headers: ['x-key'] } })
    expect(gateway.asked).toMatchObject([{ headers: [['x-key', 'new']] }])
  })

  it('replaces everything with PUT: what is left out gets its default', async () => {
    const answer = await gateway.send('admins', 'PUT', '/servers/clock', {
      ...VALID,
      name: 'New',
      headers: { 'X-Key': 'one', 'X-Other': 'two' },
    })
    expect(answer).toMatchObject({ status: 200, body: { name: 'New', tags: [] } })
    expect(gateway.asked).toEqual([])
    const bare = await gateway.send('admins', 'PUT', '/servers/clock', VALID)
    expect(bare).toMatchObject({ status: 200, body: { headers: [] } })
    expect(gateway.asked).toMatchObject([{ headers: [] }])
  })

  it('refuses a PUT whose path is another', async () => {
    const answer = await gateway.send('admins', 'PUT', '/servers/clock', {
      ...VALID,
      path: 'other',
    })
    expect(answer).toMatchObject({
      status: 400,
      body: {
        code: 'invalid_params',
        problems: [{ path: 'path', message: 'must be the path in the URL' }],
      },
    })
  })

  it('refuses a patch that leaves a group server without groups', async () => {
    const answer = await gateway.send('admins', 'PATCH', '/servers/clock', { visibility: 'group' })
    expect(answer).toMatchObject({ status: 400, body: { problems: [{ path: 'allowedGroups' }] } })
  })

  it('toggles to a state, and flips without one', async () => {
    const off = await gateway.send('admins', 'POST', '/servers/clock/toggle', { enabled: false })
    expect(off).toMatchObject({ status: 200, body: { enabled: false } })
    const on = await gateway.send('admins', 'POST', '/servers/clock/toggle')
    expect(on).toMatchObject({ status: 200, body: { enabled: true } })
    const changes = await changesOf(gateway.tenant)
    expect(changes.slice(1)).toMatchObject([
      { action: 'server.toggle', summary: '{"enabled":false}' },
      { action: 'server.toggle', summary: '{"enabled":true}' },
    ])
  })

  it('refreshes what the upstream offers, and keeps it when the upstream is down', async () => {
    gateway.state.discover = () => ({ ...DISCOVERY, prompts: [{ name: 'p' }] })
    const fresh = await gateway.send('admins', 'POST', '/servers/clock/refresh')
    expect(fresh).toMatchObject({ status: 200, body: { discovered: { tools: 2, prompts: 1 } } })
    const changes = await changesOf(gateway.tenant)
    expect(changes[1]).toMatchObject({ action: 'server.refresh' })
    gateway.state.discover = isDown
    const down = await gateway.send('admins', 'POST', '/servers/clock/refresh')
    expect(down).toMatchObject({ status: 422, body: { code: 'upstream_unreachable' } })
    const after = await gateway.send('admins', 'GET', '/servers/clock')
    expect(after.body).toMatchObject({ discovered: { prompts: 1 }, health: 'healthy' })
  })

  it('deletes the server and everything that hangs on it', async () => {
    const answer = await gateway.send('admins', 'DELETE', '/servers/clock')
    expect(answer.status).toBe(204)
    expect((await gateway.send('admins', 'GET', '/servers/clock')).status).toBe(404)
    for (const table of ['endpoints', 'server_tags', 'catalog_items']) {
      const left = await env.DB.prepare(`select count(*) as n from ${table} where tenant = ?`)
        .bind(gateway.tenant)
        .first<{ n: number }>()
      expect(left).toEqual({ n: 0 })
    }
    const [, change] = await changesOf(gateway.tenant)
    expect(change).toMatchObject({ action: 'server.delete', target: 'clock' })
    expect((await register()).status).toBe(201)
  })
})

describe('what is kept secret', () => {
  it('never shows the value of a custom header, and keeps it sealed', async () => {
    const canary = 'canary-0123456789'
    await register({ headers: { Authorization: `Bearer ${canary}` } })
    const patched = await gateway.send('admins', 'PATCH', '/servers/clock', { name: 'C' })
    const listed = await gateway.send('admins', 'GET', '/servers')
    expect(patched.body['headers']).toEqual(['Authorization'])
    expect(JSON.stringify([patched.body, listed.body, gateway.events])).not.toContain(canary)
    for (const table of ['servers', 'change_log', 'endpoints']) {
      const { results } = await env.DB.prepare(`select * from ${table}`).all()
      expect(JSON.stringify(results)).not.toContain(canary)
    }
    const snapshot = await gateway.registry.snapshots.tenant(gateway.ctx, gateway.tenant)
    const record = await snapshot.server(gateway.ctx, 'clock')
    expect(record?.headers).toEqual([['Authorization', `Bearer ${canary}`]])
  })

  it('shows the query of an upstream URL to those alone who may modify the server', async () => {
    await register({ endpoints: [{ url: 'https://clock.example/mcp?profile=canary' }] })
    const admin = await gateway.send('admins', 'GET', '/servers/clock')
    const reader = await gateway.send('readers', 'GET', '/servers/clock')
    expect(admin.body['endpoints']).toMatchObject([
      { url: 'https://clock.example/mcp?profile=canary' },
    ])
    expect(reader.body['endpoints']).toMatchObject([{ url: 'https://clock.example/mcp' }])
  })

  it('refuses to speak to an upstream whose headers do not open any more', async () => {
    await register({ headers: { 'X-Key': 'one' } })
    const rotated = createGateway(gateway.tenant, { secret: 'another secret, quite as long' })
    const snapshot = await rotated.registry.snapshots.tenant(rotated.ctx, rotated.tenant)
    await expect(snapshot.server(rotated.ctx, 'clock')).rejects.toMatchObject({
      code: 'upstream_unavailable',
    })
    const refresh = await rotated.send('admins', 'POST', '/servers/clock/refresh')
    expect(refresh).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } })
    const repaired = await rotated.send('admins', 'PUT', '/servers/clock', {
      ...VALID,
      headers: { 'X-Key': 'two' },
    })
    expect(repaired.status).toBe(200)
    expect((await rotated.send('admins', 'POST', '/servers/clock/refresh')).status).toBe(200)
  })
})
