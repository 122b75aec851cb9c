import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { ServerId } from '../../src/core/index.ts'
import type { CatalogKind } from '../../src/registry/index.ts'
import { createGateway, type TestGateway, VALID } from './gateway.ts'
import { createShops, DESK, OFFERS, tool } from './virtual-gateway.ts'

/** The real D1, counting round trips: each is one `batch`, or one statement run by itself. */
function counting(d1: D1Database) {
  const work = { trips: 0 }
  const counted = (statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...input: unknown[]) => {
          if (name === 'bind') return counted(member.apply(target, input))
          work.trips += 1
          return member.apply(target, input)
        }
      },
    })
  const bare = new WeakMap<D1PreparedStatement, D1PreparedStatement>()
  const prepare = (sql: string): D1PreparedStatement => {
    const statement = d1.prepare(sql)
    const bind = statement.bind.bind(statement)
    statement.bind = (...values: unknown[]) => {
      const bound = bind(...values)
      const proxy = counted(bound)
      bare.set(proxy, bound)
      return proxy
    }
    return statement
  }
  const batch = (statements: D1PreparedStatement[]) => {
    work.trips += 1
    return d1.batch(statements.map((statement) => bare.get(statement) ?? statement))
  }
  const proxy = new Proxy(d1, {
    get(target, name) {
      if (name === 'prepare') return prepare
      if (name === 'batch') return batch
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { d1: proxy, work }
}

const TENANT = 'registry-index'
const { d1, work } = counting(env.DB)
const near = createGateway(TENANT, { d1 })
let far: TestGateway

const snapshotOf = () => near.registry.snapshots.tenant(near.ctx, near.tenant)

beforeAll(async () => {
  far = await createShops(TENANT)
  await far.send('admins', 'POST', '/virtual-servers', DESK)
  const off = { ...VALID, path: 'off', enabled: false }
  await far.send('admins', 'POST', '/servers', off)
  const many = { ...VALID, path: 'many', endpoints: [...'cab'].map(endpoint) }
  await far.send('admins', 'POST', '/servers', many)
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

describe('the catalogue of several servers', () => {
  const read = async (kind: CatalogKind) => {
    const index = await (await snapshotOf()).index(near.ctx)
    work.trips = 0
    const { heads, servers } = await near.registry.catalog.part(near.ctx, near.tenant, index, kind)
    return { index, heads, servers, trips: work.trips }
  }

  it('comes in one read without its definitions, in the order of the servers and of each', async () => {
    const { index, heads, servers, trips } = await read('tool')
    expect(trips).toBe(1)
    expect(servers).toBe(index.length)
    const [books] = index
    if (books === undefined) throw new Error('no index')
    expect([...new Set(heads.map(({ serverId }) => serverId))]).toEqual(index.map(({ id }) => id))
    const ofBooks = heads.filter(({ serverId }) => serverId === books.id)
    expect(ofBooks.map(({ key, position }) => [key, position])).toEqual([
      ['search', 0],
      ['buy', 1],
      ['bad name!', 2],
      ['x'.repeat(65), 3],
    ])
    expect(ofBooks[1]).toEqual({
      serverId: books.id,
      key: 'buy',
      position: 1,
      bytes: JSON.stringify(OFFERS.tools[1]).length,
      contentHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    for (const kind of ['prompt', 'resource', 'template'] as const) {
      const others = (await read(kind)).heads.filter(({ serverId }) => serverId === books.id)
      expect(others).toHaveLength(kind === 'prompt' ? 2 : 1)
    }
  })

  it('knows the size of a definition in UTF-8, and gives those that are asked for', async () => {
    const description = 'ä€😀'.repeat(10)
    far.state.discover = () => ({
      ...OFFERS,
      tools: [{ name: 'one', description }, ...OFFERS.tools],
    })
    await far.send('admins', 'POST', '/servers/books/refresh')
    near.registry.snapshots.drop(near.tenant)
    const { heads } = await read('tool')
    const [one, two] = heads
    if (one === undefined || two === undefined) throw new Error('no items')
    const text = JSON.stringify({ name: 'one', description })
    expect(one.bytes).toBe(new TextEncoder().encode(text).byteLength)
    work.trips = 0
    const { catalog } = near.registry
    const found = await catalog.definitions(near.ctx, near.tenant, 'tool', [two, one])
    expect(work.trips).toBe(1)
    expect([...found]).toEqual([
      [two, JSON.stringify(OFFERS.tools[0])],
      [one, text],
    ])
    expect(await catalog.definitions(near.ctx, near.tenant, 'tool', [])).toEqual(new Map())
    const replaced = { ...one, contentHash: '0'.repeat(64) }
    const rest = await catalog.definitions(near.ctx, near.tenant, 'tool', [replaced, two])
    expect([...rest.keys()]).toEqual([two])
  })

  it('leaves out items with a problem, and servers of other tenants', async () => {
    far.state.discover = () => ({
      ...OFFERS,
      tools: [{ name: 'one' }, { name: 'one' }, { description: 'nameless' }, { name: 'two' }],
    })
    await far.send('admins', 'POST', '/servers/books/refresh')
    near.registry.snapshots.drop(near.tenant)
    const { index, heads } = await read('tool')
    const [books] = index
    if (books === undefined) throw new Error('no index')
    const ofBooks = heads.filter(({ serverId }) => serverId === books.id)
    expect(ofBooks.map(({ key }) => key)).toEqual(['one', 'two'])
    const other = createGateway(`${TENANT}-other`)
    const { catalog } = other.registry
    expect((await catalog.part(other.ctx, other.tenant, index, 'tool')).heads).toEqual([])
    expect(await catalog.definitions(other.ctx, other.tenant, 'tool', heads)).toEqual(new Map())
  })

  it('is read in parts of about 2,000 items, and of at most 80 servers', async () => {
    const { catalog } = near.registry
    const none = { tools: 0, resources: 0, resourceTemplates: 0, prompts: 0 }
    const part = async (count: number, tools: number) => {
      const list = Array.from({ length: count }, () => ({
        id: ServerId.parse(crypto.randomUUID()),
        discovered: { ...none, tools },
      }))
      work.trips = 0
      const { servers } = await catalog.part(near.ctx, near.tenant, list, 'tool')
      return [servers, work.trips]
    }
    expect(await part(0, 0)).toEqual([0, 0])
    expect(await part(10, 200)).toEqual([10, 1])
    expect(await part(11, 200)).toEqual([10, 1])
    expect(await part(3, 2000)).toEqual([1, 1])
    expect(await part(81, 0)).toEqual([80, 1])
  })

  it('is read of fewer servers when they offer more by now, never more than 2,001 items', async () => {
    const { catalog } = near.registry
    const tools = Array.from({ length: 1200 }, (_, at) => ({ name: `tool-${at}` }))
    far.state.discover = () => ({ ...OFFERS, tools })
    const { index } = await read('tool')
    const before = index.slice(0, 3)
    for (const { path } of before) {
      expect((await far.send('admins', 'POST', `/servers/${path}/refresh`)).status).toBe(200)
    }
    work.trips = 0
    const { servers, heads } = await catalog.part(near.ctx, near.tenant, before, 'tool')
    expect([servers, heads.length, work.trips]).toEqual([1, 1200, 2])
  })
})
