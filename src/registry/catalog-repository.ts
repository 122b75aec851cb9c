import { and, asc, eq, gt, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { z } from 'zod'
import { ServerId, type ServerPath, type TenantId } from '../core/index.ts'
import type { Statement } from './batch-repository.ts'
import { type Catalog, type CatalogItem, MAX_ITEMS_OF_KIND } from './catalog.ts'
import type { CatalogKind } from './catalog-kinds.ts'
import type { CatalogHead } from './catalog-reader.ts'
import { serverIdAt } from './path-repository.ts'
import { catalogItems } from './tables.ts'

/**
 * Items of a tenant, where they are known by their server. The `+` keeps SQLite from looking for
 * them by the tenant alone: `catalog_items_offers` begins with it, and a tenant has many items.
 */
export function itemsOf(tenant: TenantId): SQL {
  return sql`+${catalogItems.tenant} = ${tenant}`
}

/** Selects what the server at the path serves of a kind: at most `MAX_ITEMS_OF_KIND`. */
export function servedAt(
  db: DrizzleD1Database,
  tenant: TenantId,
  path: ServerPath,
  kind: CatalogKind,
): SQL | undefined {
  return and(
    itemsOf(tenant),
    eq(catalogItems.serverId, serverIdAt(db, tenant, path)),
    eq(catalogItems.kind, kind),
    isNull(catalogItems.problem),
  )
}

/** A bound string may be 2 MB in D1; a chunk stays well below. */
const MAX_CHUNK_BYTES = 1_000_000

/** A stored item as a list shows it. */
export interface ListedItem {
  readonly position: number
  readonly key: string
  readonly definition: Record<string, unknown>
  readonly problem: string | null
}

/** Reads of the catalogue; it is written as part of a server's batch. */
export function createCatalogRepository(db: DrizzleD1Database) {
  return {
    headsQuery: (
      tenant: TenantId,
      serverIds: readonly ServerId[],
      kind: CatalogKind,
      limit: number,
    ) =>
      db
        .select({
          serverId: catalogItems.serverId,
          key: catalogItems.key,
          contentHash: catalogItems.contentHash,
          position: catalogItems.position,
          bytes: sql<number>`octet_length(${catalogItems.definition})`,
        })
        .from(catalogItems)
        .where(
          and(
            itemsOf(tenant),
            // One bound string: D1 takes 100 parameters a statement.
            inArray(
              catalogItems.serverId,
              sql`(select value from json_each(${JSON.stringify(serverIds)}))`,
            ),
            eq(catalogItems.kind, kind),
            isNull(catalogItems.problem),
          ),
        )
        .limit(limit),

    /** What is served of several servers, in no order: the caller sorts less than a table. */
    async heads(
      tenant: TenantId,
      serverIds: readonly ServerId[],
      kind: CatalogKind,
      limit: number,
    ): Promise<CatalogHead[]> {
      const rows = await this.headsQuery(tenant, serverIds, kind, limit)
      return rows.map((row) => ({ ...row, serverId: ServerId.parse(row.serverId) }))
    },

    servedKeysQuery: (tenant: TenantId, path: ServerPath, kind: CatalogKind) =>
      db
        .select({ key: catalogItems.key })
        .from(catalogItems)
        .where(servedAt(db, tenant, path, kind))
        .orderBy(asc(catalogItems.position))
        .limit(MAX_ITEMS_OF_KIND),

    /** Names and URIs of a kind that the server serves now; none of what is no server. */
    async servedKeys(tenant: TenantId, path: ServerPath, kind: CatalogKind): Promise<string[]> {
      return (await this.servedKeysQuery(tenant, path, kind)).map(({ key }) => key)
    },

    definitionsQuery(tenant: TenantId, kind: CatalogKind, heads: readonly CatalogHead[]) {
      const places = heads.map(({ serverId, position, contentHash }) => [
        serverId,
        position,
        contentHash,
      ])
      const wanted = (index: 0 | 1 | 2) => sql`wanted.value->>${sql.raw(`${index}`)}`
      return db
        .select({
          serverId: catalogItems.serverId,
          position: catalogItems.position,
          definition: catalogItems.definition,
        })
        .from(sql`json_each(${JSON.stringify(places)}) as wanted`)
        .innerJoin(
          catalogItems,
          and(
            itemsOf(tenant),
            eq(catalogItems.serverId, wanted(0)),
            eq(catalogItems.kind, kind),
            eq(catalogItems.position, wanted(1)),
            // Another one may be of any size, and is not what somebody chose.
            eq(catalogItems.contentHash, wanted(2)),
          ),
        )
        .limit(heads.length)
    },

    /** In no order; what was replaced since its head was read is absent. */
    async definitions(tenant: TenantId, kind: CatalogKind, heads: readonly CatalogHead[]) {
      const rows = await this.definitionsQuery(tenant, kind, heads)
      return rows.map((row) => ({ ...row, serverId: ServerId.parse(row.serverId) }))
    },

    pageQuery: (
      tenant: TenantId,
      serverId: ServerId,
      kind: CatalogKind,
      after: number,
      limit: number,
    ) =>
      db
        .select({
          position: catalogItems.position,
          key: catalogItems.key,
          definition: catalogItems.definition,
          problem: catalogItems.problem,
        })
        .from(catalogItems)
        .where(
          and(
            itemsOf(tenant),
            eq(catalogItems.serverId, serverId),
            eq(catalogItems.kind, kind),
            gt(catalogItems.position, after),
          ),
        )
        .orderBy(asc(catalogItems.position))
        .limit(limit),

    /** Items behind a position (-1 for all), in order. */
    async page(
      tenant: TenantId,
      serverId: ServerId,
      kind: CatalogKind,
      after: number,
      limit: number,
    ): Promise<ListedItem[]> {
      const rows = await this.pageQuery(tenant, serverId, kind, after, limit)
      return rows.map((row) => ({ ...row, definition: parseDefinition(row.definition) }))
    },
  }
}

/**
 * Statements that make `catalog` the server's catalogue. Rows travel as JSON in a few bound
 * strings: with a bound parameter per column, 8,000 items would take 900 statements.
 */
export function replaceCatalogStatements(
  db: DrizzleD1Database,
  server: { readonly tenant: TenantId; readonly id: ServerId },
  catalog: Catalog,
): Statement[] {
  const column = (name: string) => sql`value->>${sql.raw(`'$.${name}'`)}`
  return [
    db
      .delete(catalogItems)
      .where(and(itemsOf(server.tenant), eq(catalogItems.serverId, server.id))),
    ...chunksOf(catalog.items).map((rows) =>
      db.insert(catalogItems).select(
        // In the order of the table's columns.
        sql`select ${server.tenant}, ${server.id}, ${column('kind')}, ${column('position')},
          ${column('key')}, ${column('definition')}, ${column('contentHash')},
          ${column('problem')}, ${column('headerParams')}, ${column('readOnly')},
          ${column('idempotent')}, ${column('schemaHash')} from json_each(${rows})`,
      ),
    ),
  ]
}

/** JSON arrays of at most `MAX_CHUNK_BYTES` each (one row at least). */
function chunksOf(items: readonly CatalogItem[]): string[] {
  const chunks: string[] = []
  let rows: string[] = []
  let bytes = 0
  for (const item of items) {
    const row = JSON.stringify({ ...item, headerParams: JSON.stringify(item.headerParams) })
    const size = new TextEncoder().encode(row).byteLength + 1
    if (rows.length > 0 && bytes + size > MAX_CHUNK_BYTES) {
      chunks.push(`[${rows.join(',')}]`)
      rows = []
      bytes = 0
    }
    rows.push(row)
    bytes += size
  }
  return rows.length > 0 ? [...chunks, `[${rows.join(',')}]`] : chunks
}

function parseDefinition(text: string): Record<string, unknown> {
  const parsed = z.record(z.string(), z.unknown()).safeParse(JSON.parse(text))
  return parsed.success ? parsed.data : {}
}
