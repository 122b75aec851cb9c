import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { createGateway, freshGateway, type TestGateway, VALID } from './gateway.ts'

let gateway: TestGateway

beforeEach(() => {
  gateway = freshGateway('registry-secrets')
})

describe('what is kept secret', () => {
  it('never shows the value of a custom header, and keeps it sealed', async () => {
    const canary = 'canary-0123456789'
    await gateway.register({ headers: { Authorization: `Bearer ${canary}` } })
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
    await gateway.register({ endpoints: [{ url: 'https://clock.example/mcp?profile=canary' }] })
    const admin = await gateway.send('admins', 'GET', '/servers/clock')
    const reader = await gateway.send('readers', 'GET', '/servers/clock')
    expect(admin.body['endpoints']).toMatchObject([
      { url: 'https://clock.example/mcp?profile=canary' },
    ])
    expect(reader.body['endpoints']).toMatchObject([{ url: 'https://clock.example/mcp' }])
  })

  it('refuses to speak to an upstream whose headers do not open any more', async () => {
    await gateway.register({ headers: { 'X-Key': 'one' } })
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
