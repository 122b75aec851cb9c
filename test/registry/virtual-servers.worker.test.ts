import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { ServerPath } from '../../src/core/index.ts'
import { createRepositories } from '../../src/registry/repository.ts'
import { changesOf, createGateway, generationOf, type TestGateway, VALID } from './gateway.ts'
import { createShops, DESK, redefine, statesOf, tool } from './virtual-gateway.ts'

let suite = 0
let gateway: TestGateway

beforeEach(async () => {
  suite += 1
  gateway = await createShops(`registry-virtual-${suite}`)
})

const create = (input: object = {}) =>
  gateway.send('admins', 'POST', '/virtual-servers', { ...DESK, ...input })
const show = () => gateway.send('admins', 'GET', '/virtual-servers/desk')
const actionsOf = async () =>
  (await changesOf(gateway.tenant))
    .map((change) => change['action'])
    .filter((action) => String(action).startsWith('virtual.'))

describe('making a virtual server', () => {
  it('pins each chosen item to what its upstream offers now', async () => {
    const answer = await create()
    expect(answer.status).toBe(201)
    expect(answer.headers.get('location')).toBe('/virtual-servers/desk')
    const pin = { contentHash: expect.stringMatching(/^[0-9a-f]{64}$/), state: 'ok' }
    expect(answer.body).toEqual({
      id: expect.any(String),
      path: 'desk',
      name: 'Desk',
      description: '',
      instructions: '',
      owner: (await gateway.actorOf('admins')).principal.key,
      visibility: 'public',
      allowedGroups: [],
      enabled: true,
      tools: [
        {
          server: 'books',
          name: 'search',
          as: 'find_books',
          description: 'Finds books',
          ...pin,
        },
        { server: 'music', name: 'search', as: 'find_music', ...pin },
        { server: 'books', name: 'buy', as: 'buy', ...pin },
      ],
      prompts: [{ server: 'books', name: 'greet', as: 'greet', title: 'Say hello', ...pin }],
      resources: [{ server: 'books', uri: 'file:///a', name: 'List', ...pin }],
      resourceTemplates: [{ server: 'music', uriTemplate: 'file:///{x}', ...pin }],
      fleets: [],
      createdAt: '2026-11-01T00:00:00.000Z',
      updatedAt: '2026-11-01T00:00:00.000Z',
    })
    expect((await show()).body).toEqual(answer.body)
  })

  it('leaves a change-log row and the next generation', async () => {
    const before = await generationOf(gateway.tenant)
    await create()
    expect(await generationOf(gateway.tenant)).toBe(before + 1)
    expect((await changesOf(gateway.tenant)).at(-1)).toMatchObject({
      action: 'virtual.create',
      target: 'desk',
      request_id: 'request-1',
      actor: (await gateway.actorOf('admins')).principal.key,
    })
  })

  it('may begin with no items', async () => {
    const answer = await gateway.send('admins', 'POST', '/virtual-servers', {
      path: 'empty',
      name: 'Empty',
    })
    expect(answer).toMatchObject({ status: 201, body: { tools: [], resourceTemplates: [] } })
  })

  it('takes 500 items, and refuses one more', async () => {
    const names = Array.from({ length: 501 }, (_, index) => `tool-${index}`)
    await redefine(
      gateway,
      'books',
      names.map((name) => tool(name)),
    )
    const choose = (count: number) => ({
      path: 'many',
      name: 'Many',
      tools: names.slice(0, count).map((name) => ({ server: 'books', name })),
    })
    const made = await gateway.send('admins', 'POST', '/virtual-servers', choose(500))
    expect(made.status).toBe(201)
    expect(new Set(statesOf(made.body['tools']) as string[])).toEqual(new Set(['ok']))
    const put = await gateway.send('admins', 'PUT', '/virtual-servers/many', {
      ...choose(500),
      prompts: DESK.prompts,
    })
    expect(put).toMatchObject({ status: 400, body: { code: 'invalid_params' } })
    const patch = await gateway.send('admins', 'PATCH', '/virtual-servers/many', {
      prompts: DESK.prompts,
    })
    expect(patch).toMatchObject({
      status: 400,
      body: { problems: [{ message: expect.stringContaining('500 items') }] },
    })
  })
})

describe('a path', () => {
  const taken = { status: 409, body: { code: 'conflict' } }

  it('is taken for servers and virtual servers alike', async () => {
    await create()
    expect(await create()).toMatchObject(taken)
    expect(await create({ path: 'books' })).toMatchObject({
      ...taken,
      body: { detail: 'The path "books" is taken.' },
    })
    gateway.asked.length = 0
    const server = { ...VALID, path: 'desk' }
    expect(await gateway.send('admins', 'POST', '/servers', server)).toMatchObject(taken)
    expect(gateway.asked).toEqual([])
  })

  it('goes to one of a server and a virtual server that come at once', async () => {
    const answers = await Promise.all([
      gateway.send('admins', 'POST', '/servers', { ...VALID, path: 'race' }),
      create({ path: 'race' }),
      create({ path: 'race' }),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
    const rows = await env.DB.prepare(
      `select path from servers where tenant = ?1 and path = 'race'
       union all select path from virtual_servers where tenant = ?1 and path = 'race'`,
    )
      .bind(gateway.tenant)
      .all()
    expect(rows.results).toHaveLength(1)
  })

  it('is free again when its holder is deleted, and another tenant may have it anyway', async () => {
    await create()
    const other = createGateway(`${gateway.tenant}-other`)
    const empty = { path: 'desk', name: 'Desk' }
    expect((await other.send('admins', 'POST', '/virtual-servers', empty)).status).toBe(201)
    await gateway.send('admins', 'DELETE', '/virtual-servers/desk')
    const server = { ...VALID, path: 'desk' }
    expect((await gateway.send('admins', 'POST', '/servers', server)).status).toBe(201)
    await gateway.send('admins', 'DELETE', '/servers/desk')
    expect((await create()).status).toBe(201)
  })
})

describe('changing a virtual server', () => {
  beforeEach(() => create())

  it('replaces everything but its path and owner', async () => {
    const answer = await gateway.send('admins', 'PUT', '/virtual-servers/desk', {
      path: 'desk',
      name: 'New',
      instructions: 'Use it well',
    })
    expect(answer).toMatchObject({
      status: 200,
      body: { name: 'New', instructions: 'Use it well', tools: [], prompts: [] },
    })
    const other = await gateway.send('admins', 'PUT', '/virtual-servers/desk', {
      ...DESK,
      path: 'other',
    })
    expect(other).toMatchObject({
      status: 400,
      body: { problems: [{ path: 'path', message: 'must be the path in the URL' }] },
    })
  })

  it('toggles to a state, and flips without one', async () => {
    const toggle = (body?: object) =>
      gateway.send('admins', 'POST', '/virtual-servers/desk/toggle', body)
    expect((await toggle({ enabled: false })).body).toMatchObject({ enabled: false })
    expect((await toggle()).body).toMatchObject({ enabled: true })
    expect(await actionsOf()).toEqual(['virtual.create', 'virtual.toggle', 'virtual.toggle'])
  })

  it('refuses the slower of two changes, and a change of what was deleted', async () => {
    const { virtuals, servers } = createRepositories(env.DB)
    const change = { actor: 'a', action: 'virtual.update', target: 'desk', summary: {} } as const
    const { ctx, tenant } = gateway
    const [desk, books] = await Promise.all([
      virtuals.find(tenant, ServerPath.parse('desk')),
      servers.find(tenant, ServerPath.parse('books')),
    ])
    if (!desk || !books) throw new Error('nothing to change')
    gateway.state.now += 1
    const changes = await changesOf(tenant)
    await gateway.send('admins', 'PATCH', '/virtual-servers/desk', { name: 'Faster' })
    await expect(
      virtuals.update(ctx, desk, { name: 'Slower' }, { tenant, ...change }),
    ).rejects.toMatchObject({ code: 'conflict' })
    expect((await show()).body).toMatchObject({ name: 'Faster' })
    await gateway.send('admins', 'DELETE', '/virtual-servers/desk')
    await gateway.send('admins', 'DELETE', '/servers/books')
    await expect(
      virtuals.update(ctx, desk, { enabled: false }, { tenant, ...change }),
    ).rejects.toMatchObject({ code: 'not_found' })
    await expect(
      servers.update(ctx, books, { enabled: false }, {}, { tenant, ...change }),
    ).rejects.toMatchObject({ code: 'not_found' })
    // The patch and the two deletions; nothing of what was refused.
    expect(await changesOf(tenant)).toHaveLength(changes.length + 3)
  })

  it('deletes it', async () => {
    expect((await gateway.send('admins', 'DELETE', '/virtual-servers/desk')).status).toBe(204)
    expect((await show()).status).toBe(404)
    expect(await actionsOf()).toEqual(['virtual.create', 'virtual.delete'])
  })

  it('refuses a patch that leaves a group server without groups', async () => {
    const answer = await gateway.send('admins', 'PATCH', '/virtual-servers/desk', {
      visibility: 'group',
    })
    expect(answer).toMatchObject({ status: 400, body: { problems: [{ path: 'allowedGroups' }] } })
  })
})
