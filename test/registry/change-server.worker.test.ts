import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { changesOf, DISCOVERY, freshGateway, isDown, type TestGateway, VALID } from './gateway.ts'

let gateway: TestGateway

beforeEach(() => {
  gateway = freshGateway('registry-change')
})

describe('changing a server', () => {
  beforeEach(async () => {
    await gateway.register({ tags: ['time'], headers: { 'X-Key': 'one', 'X-Other': 'two' } })
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
    expect((await gateway.register()).status).toBe(201)
  })
})
