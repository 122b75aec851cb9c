import { beforeAll, describe, expect, it } from 'vitest'
import { ServerId } from '../../src/core/index.ts'
import type { CatalogKind } from '../../src/registry/index.ts'
import { countedGateway } from './counted-gateway.ts'
import { createGateway, type TestGateway } from './gateway.ts'
import { createShops, OFFERS } from './virtual-gateway.ts'

const TENANT = 'registry-catalog-parts'
const { gateway: near, work, snapshotOf } = countedGateway(TENANT)
let far: TestGateway

beforeAll(async () => {
  far = await createShops(TENANT)
  await far.register({ path: 'off', enabled: false })
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
