import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { countedGateway } from './counted-gateway.ts'
import { createGateway, type TestGateway } from './gateway.ts'
import { createShops, DESK, OFFERS, tool } from './virtual-gateway.ts'

const TENANT = 'registry-index'
const { gateway: near, d1, work, snapshotOf } = countedGateway(TENANT)
let far: TestGateway

beforeAll(async () => {
  far = await createShops(TENANT)
  await far.send('admins', 'POST', '/virtual-servers', DESK)
  await far.register({ path: 'off', enabled: false })
  await far.register({ path: 'many', endpoints: [...'cab'].map(endpoint) })
})

const endpoint = (name: string) => ({ url: `https://${name}.example/mcp` })

describe('an endpoint of a tenant', () => {
  it('is a server with its tools and prompts, read in one round trip and remembered', async () => {
    const snapshot = await snapshotOf()
    work.trips = 0
    const found = await snapshot.endpoint(near.ctx, 'books')
    expect(work.trips).toBe(1)
    if (found?.kind !== 'server') throw new Error('not a server')
    expect(found.server).toMatchObject({ path: 'books', enabled: true })
    expect([...found.server.prompts]).toEqual(['greet', 'bye'])
    expect([...found.server.tools.keys()]).toContain('search')
    expect(await snapshot.endpoint(near.ctx, 'books')).toBe(found)
    expect(await snapshot.server(near.ctx, 'books')).toBe(found.server)
    expect(work.trips).toBe(1)
  })

  it('is a virtual server with its pinned items, and no server then', async () => {
    const snapshot = await snapshotOf()
    work.trips = 0
    const found = await snapshot.endpoint(near.ctx, 'desk')
    expect(work.trips).toBe(1)
    if (found?.kind !== 'virtual') throw new Error('not a virtual server')
    const pin = { contentHash: expect.stringMatching(/^[0-9a-f]{64}$/), state: 'ok' }
    expect(found.virtual).toEqual({
      id: expect.any(String),
      tenant: TENANT,
      path: 'desk',
      name: 'Desk',
      description: '',
      instructions: '',
      owner: (await far.actorOf('admins')).principal.key,
      visibility: 'public',
      allowedGroups: [],
      enabled: true,
      items: [
        {
          kind: 'tool',
          server: 'books',
          key: 'search',
          name: 'find_books',
          description: 'Finds books',
          ...pin,
        },
        { kind: 'tool', server: 'music', key: 'search', name: 'find_music', ...pin },
        { kind: 'tool', server: 'books', key: 'buy', name: 'buy', ...pin },
        {
          kind: 'prompt',
          server: 'books',
          key: 'greet',
          name: 'greet',
          title: 'Say hello',
          ...pin,
        },
        { kind: 'resource', server: 'books', key: 'file:///a', name: 'List', ...pin },
        { kind: 'template', server: 'music', key: 'file:///{x}', name: '', ...pin },
      ],
    })
    expect(await snapshot.server(near.ctx, 'desk')).toBeUndefined()
    expect(work.trips).toBe(1)
  })

  it('tells which pins hold, as soon as the catalogue changes', async () => {
    const states = async () => {
      const found = await (await snapshotOf()).endpoint(near.ctx, 'desk')
      return found?.kind === 'virtual' ? found.virtual.items.map(({ state }) => state) : []
    }
    const generation = (await snapshotOf()).generation
    far.state.discover = () => ({ ...OFFERS, tools: [tool('search', 'new')] })
    await far.send('admins', 'POST', '/servers/books/refresh')
    near.state.now += 5000
    expect(await states()).toEqual(['changed', 'ok', 'missing', 'ok', 'ok', 'ok'])
    expect((await snapshotOf()).generation).toBeGreaterThan(generation)
    far.state.discover = () => OFFERS
    await far.send('admins', 'POST', '/servers/books/refresh')
    near.state.now += 5000
    expect(await states()).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok'])
  })

  it('that is disabled is given, one that is unknown is remembered as such', async () => {
    const snapshot = await snapshotOf()
    expect(await snapshot.endpoint(near.ctx, 'off')).toMatchObject({ server: { enabled: false } })
    work.trips = 0
    for (let call = 0; call < 3; call += 1) {
      expect(await snapshot.endpoint(near.ctx, 'nothing')).toBeUndefined()
    }
    expect(work.trips).toBe(1)
  })

  it('shows a write to a virtual server at once in its own isolate, later in others', async () => {
    const enabled = async () => {
      const found = await (await snapshotOf()).endpoint(near.ctx, 'desk')
      return found?.kind === 'virtual' ? found.virtual.enabled : undefined
    }
    expect(await enabled()).toBe(true)
    await near.send('admins', 'POST', '/virtual-servers/desk/toggle', { enabled: false })
    expect(await enabled()).toBe(false)
    await far.send('admins', 'POST', '/virtual-servers/desk/toggle', { enabled: true })
    expect(await enabled()).toBe(false)
    near.state.now += 5000
    expect(await enabled()).toBe(true)
  })
})

describe('the index of a tenant', () => {
  it('has every enabled server by path, and is the same array until something changes', async () => {
    const snapshot = await snapshotOf()
    work.trips = 0
    const index = await snapshot.index(near.ctx)
    expect(index.map(({ path }) => path)).toEqual(['books', 'many', 'music', 'vault'])
    expect(await snapshot.index(near.ctx)).toBe(index)
    expect(work.trips).toBe(1)
    const books = await snapshot.server(near.ctx, 'books')
    expect(index[0]).toEqual({
      id: books?.id,
      tenant: TENANT,
      path: 'books',
      name: 'Clock',
      owner: books?.owner,
      visibility: 'public',
      allowedGroups: [],
      health: 'healthy',
      upstream: OFFERS.facts,
      discovered: { tools: 4, resources: 1, resourceTemplates: 1, prompts: 2 },
      catalogHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      discoveredAt: far.state.now,
      endpointIds: books?.endpoints.map(({ id }) => id),
    })
    const many = await snapshot.server(near.ctx, 'many')
    expect(index[1]?.endpointIds).toEqual(many?.endpoints.map(({ id }) => id))
    await near.send('admins', 'POST', '/servers/many/toggle', { enabled: false })
    const later = await (await snapshotOf()).index(near.ctx)
    expect(later.map(({ path }) => path)).toEqual(['books', 'music', 'vault'])
  })

  it('reads 1,000 servers at a time, and more than that', async () => {
    const tenant = 'registry-index-large'
    await env.DB.prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < 2001)
       insert into servers (id, tenant, path, name, description, tags, license, owner, visibility,
         allowed_groups, enabled, transport, auth_strategy, header_names, timeout_ms,
         trust_annotations, provenance, health, upstream, discovered, search_text, created_at,
         updated_at)
       select printf('00000000-0000-4000-8000-%012d', i), ?, printf('s%05d', i), 'n', '', '[]', '',
         'o', 'public', '[]', i % 2000 <> 0, 'streamable-http', 'none', '[]', 1000, 0,
         '{"source":"x"}', 'unknown',
         json_object('eras', 'unknown', 'protocolVersions', json('[]'), 'sessionful', json('false'),
           'instructions', ?),
         '{"tools":0,"resources":0,"resourceTemplates":0,"prompts":0}', '', 0, 0 from n`,
    )
      .bind(tenant, 'i'.repeat(5000))
      .run()
    const large = createGateway(tenant, { d1 })
    const snapshot = await large.registry.snapshots.tenant(large.ctx, large.tenant)
    work.trips = 0
    const index = await snapshot.index(large.ctx)
    expect(index).toHaveLength(2000)
    expect(work.trips).toBe(3)
    expect(index.at(-1)).toMatchObject({ path: 's02001', catalogHash: null, endpointIds: [] })
    expect(index[0]?.upstream.instructions).toHaveLength(2000)
    await env.DB.prepare('delete from servers where tenant = ?').bind(tenant).run()
  })

  it('cannot be read without D1: policy_unavailable, with an event', async () => {
    const broken = createGateway(TENANT, {
      d1: new Proxy(env.DB, {
        get(target, name) {
          if (name === 'batch') return () => Promise.reject(new Error('D1_ERROR: away'))
          const member: unknown = Reflect.get(target, name)
          return typeof member === 'function' ? member.bind(target) : member
        },
      }),
    })
    await expect(broken.registry.snapshots.tenant(broken.ctx, broken.tenant)).rejects.toMatchObject(
      { code: 'policy_unavailable' },
    )
    const { snapshots } = near.registry
    const snapshot = await snapshots.tenant(near.ctx, near.tenant)
    expect(await snapshot.index(near.ctx)).toBe(await snapshot.index(near.ctx))
  })
})
