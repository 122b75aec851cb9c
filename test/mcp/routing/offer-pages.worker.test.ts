import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OfferPage, offerPage } from '../../../src/mcp/routing/offer-pages.ts'
import { countedGateway } from '../../registry/counted-gateway.ts'

const TENANT = 'offer-pages'
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']

describe('a page of names that very many servers have', () => {
  const { gateway, work } = countedGateway(TENANT)

  /** Servers from 1 on, of which each has all the names. */
  async function serve(names: readonly string[], servers: number): Promise<void> {
    await env.DB.prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?2)
       insert or ignore into servers (id, tenant, path, name, description, tags, license, owner,
         visibility, allowed_groups, enabled, transport, auth_strategy, header_names, timeout_ms,
         trust_annotations, provenance, health, upstream, discovered, search_text, created_at,
         updated_at)
       select printf('00000000-0000-4000-9000-%012d', i), ?1, printf('offers-%05d', i), 'n', '',
         '[]', '', 'o', 'public', '[]', 1, 'streamable-http', 'none', '[]', 1000, 0, '{}',
         'healthy', '{}', '{}', '', 0, 0 from n`,
    )
      .bind(TENANT, servers)
      .run()
    await env.DB.prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?2)
       insert into catalog_items (tenant, server_id, kind, position, key, definition, content_hash,
         header_params, read_only, idempotent)
       select ?1, printf('00000000-0000-4000-9000-%012d', i), 'tool',
         (select count(*) from catalog_items c
           where c.server_id = printf('00000000-0000-4000-9000-%012d', i)) + name.key,
         name.value, '{}', 'h', '[]', 0, 0
       from n, json_each(?3) as name`,
    )
      .bind(TENANT, servers, JSON.stringify(names))
      .run()
  }

  const page = async (after: string): Promise<OfferPage<readonly [string, number]>> => {
    work.trips = 0
    return offerPage(gateway.registry.offers, {
      ...{ tenant: gateway.tenant, kind: 'tool', after, limit: 100 },
      isMeant: () => true,
      show: ({ key, offers }) => [key, offers.length],
    })
  }

  async function pages() {
    const items: (readonly [string, number])[] = []
    const trips: number[] = []
    for (let after: string | undefined = ''; after !== undefined; ) {
      const { items: some, next }: OfferPage<readonly [string, number]> = await page(after)
      items.push(...some)
      trips.push(work.trips)
      expect(next).not.toBe(after)
      after = next
    }
    return { items, most: Math.max(...trips) }
  }

  beforeAll(() => serve(NAMES, 1_100))
  afterAll(async () => {
    for (const table of ['catalog_items', 'servers']) {
      await env.DB.prepare(`delete from ${table} where tenant = ?`).bind(TENANT).run()
    }
  })

  it('takes at most 20 reads of D1, and pages go on to the last name', async () => {
    const { items, most } = await pages()
    expect(items).toEqual(NAMES.map((name) => [name, 1_100]))
    expect(most).toBeLessThanOrEqual(20)
  })

  it('has room for one that more servers have than are ever read', async () => {
    await serve(['l', 'm', 'n'], 10_001)
    const { items, most } = await pages()
    expect(items.slice(NAMES.length)).toEqual(['l', 'm', 'n'].map((name) => [name, 10_000]))
    expect(most).toBeLessThanOrEqual(20)
  })
})
