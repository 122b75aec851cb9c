import { beforeAll, describe, expect, it } from 'vitest'
import { changesOf, createGateway, SEED, VALID } from './gateway.ts'

const gateway = createGateway('registry-permissions')

const WRITES: readonly [string, string, unknown, string][] = [
  ['POST', '/servers', { ...VALID, path: 'new' }, 'register_service'],
  ['PUT', '/servers/clock', VALID, 'modify_service'],
  ['PATCH', '/servers/clock', { name: 'x' }, 'modify_service'],
  ['DELETE', '/servers/clock', undefined, 'delete_service'],
  ['POST', '/servers/clock/toggle', {}, 'toggle_service'],
  ['POST', '/servers/clock/refresh', undefined, 'health_check_service'],
  ['PUT', '/policy', SEED, 'manage_policy'],
]

beforeAll(async () => {
  const servers = [
    VALID,
    { ...VALID, path: 'private', visibility: 'private' },
    { ...VALID, path: 'grouped', visibility: 'group', allowedGroups: ['owners'] },
  ]
  for (const server of servers) {
    expect((await gateway.send('admins', 'POST', '/servers', server)).status).toBe(201)
  }
})

describe('a write', () => {
  it.each(WRITES)('%s %s refuses a read-only principal', async (method, path, body, permission) => {
    const answer = await gateway.send('readers', method, path, body)
    expect(answer).toMatchObject({
      status: 403,
      body: { code: 'forbidden', detail: `This needs the permission ${permission}.` },
    })
  })

  it.each(WRITES.filter(([, path]) => path.includes('clock')))(
    '%s %s is not found for a stranger, as if the server did not exist',
    async (method, path, body) => {
      const answer = await gateway.send('strangers', method, path, body)
      const unknown = await gateway.send(
        'strangers',
        method,
        path.replace('clock', 'nothing'),
        body,
      )
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
      expect({ ...unknown.body, detail: 'clock' }).toEqual({ ...answer.body, detail: 'clock' })
    },
  )

  it.each(WRITES.filter(([, path]) => path.includes('clock')))(
    '%s %s is not found for an administrator of another tenant',
    async (method, path, body) => {
      const tenant = 'registry-permissions-other'
      const answer = await gateway.send('admins', method, path, body, { tenant })
      expect(answer).toMatchObject({
        status: 404,
        body: { code: 'not_found', detail: 'There is no server named "clock".' },
      })
    },
  )

  it('leaves no change when refused', async () => {
    const actions = (await changesOf('registry-permissions')).map((change) => change['action'])
    expect(actions).toEqual(['server.register', 'server.register', 'server.register'])
    expect(await changesOf('registry-permissions-other')).toEqual([])
  })

  it('lets a server owner register, and change what it owns alone', async () => {
    const own = { ...VALID, path: 'mine' }
    expect((await gateway.send('owners', 'POST', '/servers', own)).status).toBe(201)
    expect((await gateway.send('owners', 'PATCH', '/servers/mine', { name: 'x' })).status).toBe(200)
    const foreign = await gateway.send('owners', 'PATCH', '/servers/clock', { name: 'x' })
    expect(foreign).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  })
})

describe('a read', () => {
  it('shows each principal what it may list', async () => {
    const pathsFor = async (group: string) => {
      const { body } = await gateway.send(group, 'GET', '/servers')
      return Array.isArray(body['servers']) ? body['servers'].map((server) => server.path) : body
    }
    expect(await pathsFor('admins')).toEqual(['clock', 'grouped', 'mine', 'private'])
    expect(await pathsFor('owners')).toEqual(['clock', 'grouped', 'mine'])
    expect(await pathsFor('readers')).toEqual(['clock', 'mine'])
  })

  it.each(['', '/tools', '/health'])(
    'of /servers/private%s is not found for others',
    async (of) => {
      const answer = await gateway.send('readers', 'GET', `/servers/private${of}`)
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
      const tenant = 'registry-permissions-other'
      const foreign = await gateway.send('admins', 'GET', `/servers/clock${of}`, undefined, {
        tenant,
      })
      expect(foreign).toMatchObject({ status: 404, body: { code: 'not_found' } })
    },
  )

  it('of the list is forbidden without the permission', async () => {
    const answer = await gateway.send('strangers', 'GET', '/servers')
    expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  })

  it('of the list is empty for another tenant', async () => {
    const tenant = 'registry-permissions-other'
    const answer = await gateway.send('admins', 'GET', '/servers', undefined, { tenant })
    expect(answer).toMatchObject({ status: 200, body: { servers: [] } })
  })

  it('hides what went wrong at an endpoint from those who may not check its health', async () => {
    const answer = await gateway.send('readers', 'GET', '/servers/clock/health')
    expect(answer.body).toMatchObject({ endpoints: [{ health: 'healthy', lastError: null }] })
  })
})

describe('me', () => {
  it('tells a reader who it is and what it may do', async () => {
    const answer = await gateway.send('readers', 'GET', '/me')
    expect(answer).toMatchObject({
      status: 200,
      body: {
        issuer: 'https://idp.example',
        subject: 'one of readers',
        kind: 'user',
        tenant: 'registry-permissions',
        groups: ['readers'],
        accessScopes: ['user'],
        permissions: ['list_service', 'list_agents', 'get_agent'],
        expiresAt: '2030-01-01T00:00:00.000Z',
      },
    })
  })

  it('answers a principal without any permission', async () => {
    const answer = await gateway.send('strangers', 'GET', '/me')
    expect(answer).toMatchObject({ status: 200, body: { permissions: [], accessScopes: [] } })
  })
})

describe('the policy', () => {
  const policies = createGateway('registry-policy')
  const seed = {
    'UI-Scopes': { lister: { list_service: ['clock'] } },
    group_mappings: { admins: ['admin'], some: ['lister'] },
    lister: [{ server: 'clock', methods: ['tools/list', 'tools/call'], tools: ['now'] }],
  }

  it('is replaced, recorded, and read as it can be sent back', async () => {
    const put = await policies.send('admins', 'PUT', '/policy', seed)
    expect(put).toMatchObject({ status: 200, body: seed })
    const got = await policies.send('admins', 'GET', '/policy')
    expect(got).toMatchObject({ status: 200, body: seed })
    expect((await policies.send('admins', 'PUT', '/policy', got.body)).status).toBe(200)
    expect(await changesOf('registry-policy')).toMatchObject([
      { action: 'policy.replace', target: 'policy' },
      { action: 'policy.replace' },
    ])
  })

  it('is not shown to those who may not manage it', async () => {
    const answer = await policies.send('readers', 'GET', '/policy')
    expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  })

  it('holds at once in the isolate that replaced it', async () => {
    const { snapshots } = policies.registry
    const reader = (await policies.actorOf('some')).principal
    const before = await snapshots.actor(policies.ctx, reader)
    expect(before.rights.scopes).toEqual(['lister'])
    await policies.send('admins', 'PUT', '/policy', { group_mappings: { some: ['user'] } })
    const after = await snapshots.actor(policies.ctx, reader)
    expect(after.rights.scopes).toEqual(['user'])
  })
})
