import { beforeAll, describe, expect, it } from 'vitest'
import { parsePolicySeed, rightsOf } from '../../src/policy/index.ts'
import { createGateway, isDown, VALID } from './gateway.ts'

const TENANT = 'registry-services'
const gateway = createGateway(TENANT)

const service = {
  id: 'clock',
  name: 'Clock',
  description: 'Tells the time',
  transport: 'streamable-http',
  timeout: 30,
  enabled: true,
  auth: { strategy: 'none' },
  health: 'healthy',
  tools: 2,
}
const ADDRESS = 'https://clock.example/mcp?profile=canary'

beforeAll(async () => {
  const clock = {
    ...VALID,
    description: 'Tells the time',
    endpoints: [{ url: ADDRESS }, { url: 'https://second.example/mcp' }],
  }
  expect((await gateway.send('admins', 'POST', '/servers', clock)).status).toBe(201)
  gateway.state.discover = isDown
  const down = { ...VALID, path: 'down', timeoutMs: 1500, visibility: 'private' }
  await gateway.send('admins', 'POST', '/servers?allowUnreachable=true', down)
  const virtual = { path: 'virtual', name: 'Virtual' }
  await gateway.send('admins', 'POST', '/virtual-servers', virtual)
})

describe('the service list', () => {
  it('has the servers one may list, their addresses for those who may modify them', async () => {
    const admin = await gateway.send('admins', 'GET', '/services')
    expect(admin).toMatchObject({ status: 200 })
    expect(admin.body).toEqual({
      services: [
        { ...service, endpoint: ADDRESS },
        {
          ...service,
          id: 'down',
          description: '',
          endpoint: 'https://clock.example/mcp',
          timeout: 1.5,
          health: 'unhealthy',
          tools: 0,
        },
      ],
      count: 2,
    })
    const reader = await gateway.send('readers', 'GET', '/services')
    expect(reader.body).toEqual({ services: [service], count: 1 })
    const owner = await gateway.send('owners', 'GET', '/services')
    expect(owner.body).toEqual({ services: [service], count: 1 })
  })

  it('goes by pages', async () => {
    const first = await gateway.send('admins', 'GET', '/services?limit=1')
    expect(first.body).toMatchObject({ services: [{ id: 'clock' }], count: 1 })
    const more = `?limit=1&cursor=${first.body['nextCursor']}`
    const second = await gateway.send('admins', 'GET', `/services${more}`)
    expect(second.body).toMatchObject({ services: [{ id: 'down' }], count: 1 })
    expect(second.body['nextCursor']).toBeUndefined()
  })

  it('is forbidden for a stranger, and empty in another tenant', async () => {
    const stranger = await gateway.send('strangers', 'GET', '/services')
    expect(stranger).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    const tenant = `${TENANT}-other`
    const other = await gateway.send('admins', 'GET', '/services', undefined, { tenant })
    expect(other.body).toEqual({ services: [], count: 0 })
  })

  it('counts the tools for those alone who may see all of them', async () => {
    const actor = await gateway.actorOf('readers')
    const policy = parsePolicySeed({
      group_mappings: { readers: ['few'] },
      'UI-Scopes': { few: { list_service: ['all'] } },
      few: [{ server: 'clock', methods: ['tools/list'], tools: ['now'] }],
    })
    const few = { ...actor, rights: rightsOf(actor.principal, policy, { bootstrap: false }) }
    const { tools: _, ...uncounted } = service
    const { listServices, getService } = gateway.registry.verbs
    const listed = await listServices(gateway.ctx, few, {})
    expect(listed.services).toContainEqual(uncounted)
    expect(await getService(gateway.ctx, few, 'clock')).toEqual(uncounted)
  })

  it('needs the scope to read', async () => {
    const actor = await gateway.actorOf('admins', gateway.tenant, ['gatehouse:call'])
    const { listServices, getService, serviceHealth } = gateway.registry.verbs
    for (const read of [
      listServices(gateway.ctx, actor, {}),
      getService(gateway.ctx, actor, 'clock'),
      serviceHealth(gateway.ctx, actor, 'clock'),
    ]) {
      await expect(read).rejects.toMatchObject({ code: 'insufficient_scope' })
    }
  })
})

describe('a service', () => {
  it('is shown by its id', async () => {
    const admin = await gateway.send('admins', 'GET', '/services/clock')
    expect(admin).toMatchObject({ status: 200, body: { ...service, endpoint: ADDRESS } })
    const reader = await gateway.send('readers', 'GET', '/services/clock')
    expect(reader.body).toEqual(service)
  })

  it('has the health that the last checks found, its error for those who may check it', async () => {
    const admin = await gateway.send('admins', 'GET', '/services/down/health')
    expect(admin).toMatchObject({ status: 200 })
    expect(admin.body).toEqual({
      id: 'down',
      name: 'Clock',
      status: 'unhealthy',
      checkedAt: '2026-11-01T00:00:00.000Z',
      latencyMs: null,
      error: 'The connection was refused.',
    })
    await gateway.send('admins', 'PATCH', '/servers/down', { visibility: 'public' })
    const reader = await gateway.send('readers', 'GET', '/services/down/health')
    expect(reader.body).toEqual({ ...admin.body, error: null })
  })

  it.each(['clock', 'virtual', 'nothing'])(
    'is not found where it is not to be seen, or is none: %s',
    async (id) => {
      const extra = id === 'clock' ? { tenant: `${TENANT}-other` } : {}
      for (const of of ['', '/health']) {
        const at = `/services/${id}${of}`
        const answer = await gateway.send('admins', 'GET', at, undefined, extra)
        expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
      }
    },
  )
})
