import { describe, expect, it } from 'vitest'
import type { Lineup } from '../../../src/mcp/shared/lineup.ts'
import { createPages, type Page, type Position } from '../../../src/mcp/shared/pages.ts'
import {
  type CatalogHead,
  type CatalogSource,
  createCatalogReader,
} from '../../../src/registry/catalog-reader.ts'
import type { IndexedServer } from '../../../src/registry/index.ts'
import { contextAt, indexed, TENANT, toolList } from './shared-lists.ts'

const PAGE_BYTES = 2 * 1024 * 1024
const MAX_DEFINITION_BYTES = 256 * 1024
const MAX_READS = 20

interface Stored {
  readonly head: CatalogHead
  readonly definition: string
}

const storedItem = ({ id }: IndexedServer, position: number, chars: number): Stored => {
  const definition = JSON.stringify({ name: `t${position}`, description: 'd'.repeat(chars) })
  const bytes = definition.length
  const contentHash = `${id} ${position} ${chars}`
  return {
    head: { serverId: id, key: `t${position}`, contentHash, position, bytes },
    definition,
  }
}

/** A store of catalogues that counts what is read of it. */
function setUp(servers: readonly IndexedServer[], charsOf: (server: number) => number) {
  const stored = new Map(
    servers.map((server, at) => {
      const items = Array.from({ length: server.discovered.tools }, (_, position) =>
        storedItem(server, position, charsOf(at)),
      )
      return [server.id, items]
    }),
  )
  const work = { reads: 0, mostHeads: 0, mostBytes: 0, definitions: 0 }
  const between = { reads: (): void => undefined }
  const source: CatalogSource = {
    async heads(_tenant, ids, _kind, limit) {
      work.reads += 1
      const heads = ids.flatMap((id) => (stored.get(id) ?? []).map(({ head }) => head))
      work.mostHeads = Math.max(work.mostHeads, Math.min(limit, heads.length))
      return heads.toReversed().slice(0, limit)
    },
    async definitions(_tenant, _kind, wanted) {
      work.reads += 1
      between.reads()
      const rows = wanted.flatMap(({ serverId, position, contentHash }) => {
        const item = stored.get(serverId)?.find(({ head }) => head.position === position)
        if (item?.head.contentHash !== contentHash) return []
        return [{ serverId, position, definition: item.definition }]
      })
      const bytes = rows.reduce((sum, { definition }) => sum + definition.length, 0)
      work.mostBytes = Math.max(work.mostBytes, bytes)
      work.definitions += rows.length
      return rows.toReversed()
    },
  }
  const pages = createPages({ catalog: createCatalogReader(source) })
  const ctx = contextAt(() => 0)

  async function page(
    from: Position | undefined,
    shows: (key: string) => boolean,
    policyDigest = 'd',
  ): Promise<Page> {
    const sections = servers.map((server) => ({
      server,
      show: (key: string) => (shows(key) ? {} : undefined),
    }))
    const lineup: Lineup = { sections, unreached: [], unavailable: [], missingScope: undefined }
    const of = {
      tenant: TENANT,
      generation: 1,
      policyDigest,
      path: 'mcp',
      era: 'modern' as const,
    }
    work.reads = 0
    const found = await pages.page(ctx, { ...of, list: toolList(), lineup, from })
    expect(work.reads).toBeLessThanOrEqual(MAX_READS)
    return found
  }

  async function all(shows: (key: string) => boolean = () => true) {
    const names: string[] = []
    let count = 0
    let from: Position | undefined
    do {
      const { items, next } = await page(from, shows)
      names.push(...(JSON.parse(`[${items}]`) as { name: string }[]).map(({ name }) => name))
      count += 1
      from = next
    } while (from)
    return { names, pages: count }
  }

  return { stored, work, between, page, all }
}

const fleet = (servers: number, tools: number) =>
  Array.from({ length: servers }, (_, at) => indexed(at, tools))
const namesOf = (servers: readonly IndexedServer[], counts?: number) =>
  servers.flatMap(({ path, discovered }) =>
    Array.from({ length: counts ?? discovered.tools }, (_, at) => `${path}__t${at}`),
  )

describe('pages of a merged list', () => {
  it('are the whole list in its order, each in two reads when everything is shown', async () => {
    const servers = fleet(40, 200)
    const { work, all, page } = setUp(servers, () => 10)
    const { names, pages } = await all()
    expect(names).toEqual(namesOf(servers))
    expect(pages).toBe(8)
    const whole = setUp(fleet(3, 5), () => 10)
    expect((await whole.page(undefined, () => true)).next).toBeUndefined()
    expect(whole.work.reads).toBe(2)
    // What was read is kept.
    await page(undefined, () => true)
    expect(work.reads).toBe(0)
  })

  it('hold 2 MiB of definitions, and no read brings more, however large they are', async () => {
    const servers = fleet(5, 30)
    const { work, all } = setUp(servers, () => MAX_DEFINITION_BYTES - 100)
    const { names, pages } = await all()
    expect(names).toEqual(namesOf(servers))
    expect(work.mostBytes).toBeLessThanOrEqual(PAGE_BYTES)
    expect(pages).toBe(Math.ceil((5 * 30) / 8))
  })

  it('read no more when servers have grown since the index was read', async () => {
    const servers = fleet(80, 1)
    const { stored, work, all } = setUp(servers, () => 10)
    for (const server of servers) {
      const items = Array.from({ length: 1_000 }, (_, at) => storedItem(server, at, 1_000))
      stored.set(server.id, items)
    }
    const { names } = await all()
    expect(names).toEqual(namesOf(servers, 1_000))
    expect(work.mostHeads).toBeLessThanOrEqual(2_001)
    expect(work.mostBytes).toBeLessThanOrEqual(PAGE_BYTES)
  })

  it('end early where a caller sees little, read no definition of the rest, and go on', async () => {
    const servers = fleet(50, 1_000)
    const { work, all, page } = setUp(servers, () => 1_000)
    const shows = (key: string) => key === 't999'
    const first = await page(undefined, shows)
    expect(first.count).toBe(20)
    expect(first.next).toBeDefined()
    const { names, pages } = await all(shows)
    expect(names).toEqual(servers.map(({ path }) => `${path}__t999`))
    expect(pages).toBe(3)
    expect(work.definitions).toBe(50)
  })

  it('end early for a caller who sees nothing at all', async () => {
    const { all, work } = setUp(fleet(50, 1_000), () => 1_000)
    expect(await all(() => false)).toEqual({ names: [], pages: 3 })
    expect(work.definitions).toBe(0)
  })

  it('are not kept without end, however little is on them', async () => {
    const { page, work } = setUp(fleet(1, 1), () => 10)
    const nothing = () => false
    const digestOf = (at: number) => String(at).padStart(1024 * 1024, '0')
    for (let at = 0; at < 20; at += 1) await page(undefined, nothing, digestOf(at))
    await page(undefined, nothing, digestOf(19))
    expect(work.reads).toBe(0)
    await page(undefined, nothing, digestOf(0))
    expect(work.reads).toBeGreaterThan(0)
  })

  it('have what an upstream offers now when it changes while they are read', async () => {
    const servers = fleet(3, 4)
    const { stored, between, all } = setUp(servers, () => 10)
    between.reads = () => {
      between.reads = () => undefined
      const [, second] = servers
      if (second) stored.set(second.id, [storedItem(second, 0, 99), storedItem(second, 1, 99)])
    }
    const { names } = await all()
    expect(names.filter((name) => name.startsWith('s00001'))).toEqual(['s00001__t0', 's00001__t1'])
    expect(names).toHaveLength(4 + 2 + 4)
  })

  it('are never taken for the end when an upstream changes all the time', async () => {
    const servers = fleet(1, 2)
    const { stored, between, page } = setUp(servers, () => 10)
    let chars = 11
    between.reads = () => {
      chars += 1
      for (const server of servers) stored.set(server.id, [storedItem(server, 0, chars)])
    }
    const { count, next } = await page(undefined, () => true)
    expect(count).toBe(0)
    expect(next).toBeDefined()
  })
})
