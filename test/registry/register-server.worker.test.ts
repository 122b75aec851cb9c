import { beforeEach, describe, expect, it } from 'vitest'
import {
  changesOf,
  createGateway,
  DISCOVERY,
  freshGateway,
  generationOf,
  isDown,
  type TestGateway,
  VALID,
} from './gateway.ts'

let gateway: TestGateway

beforeEach(() => {
  gateway = freshGateway('registry-register')
})

describe('registering a server', () => {
  it('stores it with what the upstream offers and answers 201 with the counts', async () => {
    const answer = await gateway.register({ tags: ['time'], headers: { 'X-Key': 'canary-value' } })
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
    await gateway.register()
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
    await gateway.register()
    gateway.asked.length = 0
    const answer = await gateway.register({ name: 'Other' })
    expect(answer).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: 'The path "clock" is taken.' },
    })
    expect(gateway.asked).toEqual([])
    expect(await changesOf(gateway.tenant)).toHaveLength(1)
  })

  it('refuses the slower of two registrations of one path with 409', async () => {
    gateway.state.discover = () => DISCOVERY
    const answers = await Promise.all([gateway.register(), gateway.register({ name: 'Other' })])
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409])
    expect(await changesOf(gateway.tenant)).toHaveLength(1)
  })

  it('lets another tenant have the same path', async () => {
    await gateway.register()
    const other = createGateway(`${gateway.tenant}-other`)
    const answer = await other.send('admins', 'POST', '/servers', VALID)
    expect(answer.status).toBe(201)
  })

  it('answers 422 saying what failed when no endpoint answers, and stores nothing', async () => {
    gateway.state.discover = isDown
    const answer = await gateway.register({
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
    const answer = await gateway.register({}, '?allowUnreachable=true')
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
    const answer = await gateway.register({
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
    const answer = await gateway.register({
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
    const answer = await gateway.register({}, '?allowUnreachable=true')
    expect(answer).toMatchObject({ status: 502, body: { code: 'upstream_failed' } })
    expect(await changesOf(gateway.tenant)).toEqual([])
  })

  it('reports a fault of our own as internal and stores nothing', async () => {
    gateway.state.discover = () => {
      throw new TypeError('a bug')
    }
    const answer = await gateway.register({}, '?allowUnreachable=true')
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } })
  })
})
