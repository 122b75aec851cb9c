import { beforeAll, describe, expect, it } from 'vitest'
import { changesOf, type TestGateway } from './gateway.ts'
import { actorUnder, createShops, DESK } from './virtual-gateway.ts'

const TENANT = 'registry-virtual-access'
const OTHER = `${TENANT}-other`
let gateway: TestGateway

const DESK_AT = '/virtual-servers/desk'
const WRITES: readonly [string, string, unknown, string][] = [
  ['POST', '/virtual-servers', { ...DESK, path: 'new' }, 'register_service'],
  ['PUT', DESK_AT, DESK, 'modify_service'],
  ['PATCH', DESK_AT, { name: 'x' }, 'modify_service'],
  ['DELETE', DESK_AT, undefined, 'delete_service'],
  ['POST', `${DESK_AT}/toggle`, {}, 'toggle_service'],
  ['POST', `${DESK_AT}/repin`, {}, 'modify_service'],
]
const ON_DESK = [['GET', DESK_AT, undefined, 'list_service'] as const, ...WRITES.slice(1)]

beforeAll(async () => {
  gateway = await createShops(TENANT)
  for (const virtual of [
    DESK,
    { ...DESK, path: 'private', visibility: 'private' },
    { ...DESK, path: 'grouped', visibility: 'group', allowedGroups: ['owners'] },
    {
      path: 'vaulted',
      name: 'Vaulted',
      tools: [
        { server: 'vault', name: 'search' },
        { server: 'books', name: 'buy' },
      ],
    },
  ]) {
    const answer = await gateway.send('admins', 'POST', '/virtual-servers', virtual)
    expect(answer.status).toBe(201)
  }
})

const pathsFor = async (group: string, tenant = TENANT) => {
  const { body } = await gateway.send(group, 'GET', '/virtual-servers', undefined, { tenant })
  const list = body['virtualServers']
  return Array.isArray(list) ? list.map(({ path }) => path) : body
}

describe('a write to a virtual server', () => {
  it.each(WRITES)('%s %s refuses a read-only principal', async (method, path, body, permission) => {
    const answer = await gateway.send('readers', method, path, body)
    expect(answer).toMatchObject({
      status: 403,
      body: { code: 'forbidden', detail: `This needs the permission ${permission}.` },
    })
  })

  it.each(ON_DESK)('%s %s is not found for a stranger, like what does not exist', async (...to) => {
    const [method, path, body] = to
    const answer = await gateway.send('strangers', method, path, body)
    const unknown = await gateway.send('strangers', method, path.replace('desk', 'nothing'), body)
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect({ ...unknown.body, detail: 'desk' }).toEqual({ ...answer.body, detail: 'desk' })
  })

  it.each(ON_DESK)('%s %s is not found for an administrator of another tenant', async (...to) => {
    const [method, path, body] = to
    const answer = await gateway.send('admins', method, path, body, { tenant: OTHER })
    expect(answer).toMatchObject({
      status: 404,
      body: { code: 'not_found', detail: 'There is no server named "desk".' },
    })
  })

  it.each(ON_DESK)('%s %s is not for the path of a server, nor the reverse', async (...to) => {
    const [method, path, body] = to
    const answer = await gateway.send('admins', method, path.replace('desk', 'books'), body)
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
    const server = await gateway.send('admins', 'GET', '/servers/desk')
    expect(server).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  it('leaves no change when refused', async () => {
    const actions = (await changesOf(TENANT)).map((change) => change['action'])
    expect(actions).toEqual([
      ...Array.from({ length: 3 }, () => 'server.register'),
      ...Array.from({ length: 4 }, () => 'virtual.create'),
    ])
    expect(await changesOf(OTHER)).toEqual([])
  })

  it('is for an owner on what it owns, made of what it may use', async () => {
    const own = { ...DESK, path: 'mine' }
    expect((await gateway.send('owners', 'POST', '/virtual-servers', own)).status).toBe(201)
    const patch = { name: 'x' }
    const mine = await gateway.send('owners', 'PATCH', '/virtual-servers/mine', patch)
    expect(mine.status).toBe(200)
    const foreign = await gateway.send('owners', 'PATCH', DESK_AT, patch)
    expect(foreign).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    expect((await gateway.send('owners', 'DELETE', '/virtual-servers/mine')).status).toBe(204)
  })

  it('needs the scope to manage', async () => {
    const { verbs } = gateway.registry
    const readOnly = await gateway.actorOf('admins', gateway.tenant, ['gatehouse:read'])
    const refused = { code: 'insufficient_scope', detail: { data: { scope: 'gatehouse:manage' } } }
    const { ctx } = gateway
    for (const write of [
      verbs.createVirtualServer(ctx, readOnly, { ...DESK, path: 'new' }),
      verbs.replaceVirtualServer(ctx, readOnly, 'desk', DESK),
      verbs.patchVirtualServer(ctx, readOnly, 'desk', { name: 'x' }),
      verbs.toggleVirtualServer(ctx, readOnly, 'desk', {}),
      verbs.repinVirtualServer(ctx, readOnly, 'desk', {}),
      verbs.deleteVirtualServer(ctx, readOnly, 'desk'),
    ]) {
      await expect(write).rejects.toMatchObject(refused)
    }
    const manageOnly = await gateway.actorOf('admins', gateway.tenant, ['gatehouse:manage'])
    for (const read of [
      verbs.listVirtualServers(ctx, manageOnly, {}),
      verbs.getVirtualServer(ctx, manageOnly, 'desk'),
    ]) {
      await expect(read).rejects.toMatchObject({ code: 'insufficient_scope' })
    }
  })
})

describe('a read of virtual servers', () => {
  it('shows each principal what it may list, of its own tenant', async () => {
    expect(await pathsFor('admins')).toEqual(['desk', 'grouped', 'private', 'vaulted'])
    expect(await pathsFor('owners')).toEqual(['desk', 'grouped', 'vaulted'])
    expect(await pathsFor('readers')).toEqual(['desk', 'vaulted'])
    expect(await pathsFor('strangers')).toMatchObject({ status: 403, code: 'forbidden' })
    expect(await pathsFor('admins', OTHER)).toEqual([])
  })

  it('goes by pages, whose cursor is for nobody else', async () => {
    const first = await gateway.send('admins', 'GET', '/virtual-servers?limit=3')
    expect(first.body['virtualServers']).toHaveLength(3)
    const query = `?cursor=${first.body['nextCursor']}`
    const second = await gateway.send('admins', 'GET', `/virtual-servers${query}`)
    expect(second.body).toMatchObject({ virtualServers: [{ path: 'vaulted' }] })
    expect(second.body['nextCursor']).toBeUndefined()
    for (const [group, list] of [
      ['readers', '/virtual-servers'],
      ['admins', '/servers'],
      ['admins', '/services'],
    ]) {
      const answer = await gateway.send(group ?? '', 'GET', `${list}${query}`)
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } })
    }
  })

  it('leaves out items that the reader may not list elsewhere', async () => {
    const { body } = await gateway.send('readers', 'GET', '/virtual-servers/vaulted')
    expect(body['tools']).toMatchObject([{ server: 'books', name: 'buy' }])
    const whole = await gateway.send('admins', 'GET', '/virtual-servers/vaulted')
    expect(whole.body['tools']).toMatchObject([{ server: 'vault' }, { server: 'books' }])
  })
})

describe('what one may not list oneself', () => {
  const NOT_OFFERED = 'is not offered by a server that you may use'
  const policy = (grants: object[], lists: string[] = ['all']) => ({
    'UI-Scopes': { some: { list_service: lists, register_service: ['all'] } },
    group_mappings: { some: ['some'] },
    some: grants,
  })
  const all = { server: '*', methods: ['*'], tools: ['*'] }

  it.each<[string, object, { server: string; name: string }]>([
    ['a private server', policy([all]), { server: 'vault', name: 'search' }],
    ['a server that does not exist', policy([all]), { server: 'nothing', name: 'search' }],
    ['a virtual server', policy([all]), { server: 'desk', name: 'buy' }],
    ['an unknown tool', policy([all]), { server: 'books', name: 'nothing' }],
    ['a tool that the grant leaves out', policy([{ ...all, tools: ['buy'] }]), search()],
    ['a server without a grant', policy([{ ...all, server: 'music' }]), search()],
    ['a server that lists nothing', policy([{ ...all, methods: ['tools/call'] }]), search()],
    ['a server that may not be listed', policy([all], ['music']), search()],
  ])('cannot be given to others: %s', async (_what, seed, item) => {
    const actor = await actorUnder(gateway, seed)
    const made = gateway.registry.verbs.createVirtualServer(gateway.ctx, actor, {
      path: 'leak',
      name: 'Leak',
      tools: [item],
    })
    await expect(made).rejects.toMatchObject({
      code: 'invalid_params',
      detail: { data: { problems: [{ path: 'tools.0', message: NOT_OFFERED }] } },
    })
  })

  it.each([
    ['prompts', 'prompts/list', { server: 'books', name: 'greet' }],
    ['resources', 'resources/list', { server: 'books', uri: 'file:///a' }],
    [
      'resourceTemplates',
      'resources/templates/list',
      { server: 'books', uriTemplate: 'file:///{x}' },
    ],
  ])('goes by the method for %s', async (list, method, item) => {
    const { createVirtualServer, deleteVirtualServer } = gateway.registry.verbs
    const input = { path: 'methods', name: 'M', [list]: [item] }
    const without = await actorUnder(gateway, policy([{ server: '*', methods: ['tools/list'] }]))
    await expect(createVirtualServer(gateway.ctx, without, input)).rejects.toMatchObject({
      code: 'invalid_params',
      detail: { data: { problems: [{ path: `${list}.0`, message: NOT_OFFERED }] } },
    })
    const having = await actorUnder(gateway, policy([{ server: 'books', methods: [method] }]))
    const made = await createVirtualServer(gateway.ctx, having, input)
    expect(made).toMatchObject({ [list]: [{ server: 'books', state: 'ok' }] })
    await deleteVirtualServer(gateway.ctx, await gateway.actorOf('admins'), 'methods')
  })

  it('stays as it was when somebody with less rights accepts all others', async () => {
    const actor = await actorUnder(gateway, {
      'UI-Scopes': { some: { list_service: ['all'], modify_service: ['all'] } },
      group_mappings: { some: ['some'] },
      some: [all],
    })
    const { repinVirtualServer } = gateway.registry.verbs
    const items = [{ kind: 'tool', server: 'vault', key: 'search' }]
    await expect(
      repinVirtualServer(gateway.ctx, actor, 'vaulted', { items }),
    ).rejects.toMatchObject({
      code: 'invalid_params',
      detail: { data: { problems: [{ path: 'items.0', message: NOT_OFFERED }] } },
    })
    const shown = await repinVirtualServer(gateway.ctx, actor, 'vaulted', {})
    expect(shown.tools.map(({ server }) => server)).toEqual(['vault', 'books'])
  })
})

function search() {
  return { server: 'books', name: 'search' }
}
