import { and, asc, eq, gt, inArray, isNull, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { z } from 'zod'
import { ServerId, type TenantId } from '../core/index.ts'
import type { Statement } from './batch-repository.ts'
import type { Catalog, CatalogItem, CatalogKind } from './catalog.ts'
import { catalogItems } from './tables.ts'

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
    servedQuery: (tenant: TenantId, serverIds: readonly ServerId[], kind: CatalogKind) =>
      db
        .select({
          serverId: catalogItems.serverId,
          key: catalogItems.key,
          definition: catalogItems.definition,
          contentHash: catalogItems.contentHash,
          position: catalogItems.position,
        })
        .from(catalogItems)
        .where(
          and(
            eq(catalogItems.tenant, tenant),
            // One bound string: D1 takes 100 parameters a statement.
            inArray(
              catalogItems.serverId,
              sql`(select value from json_each(${JSON.stringify(serverIds)}))`,
            ),
            eq(catalogItems.kind, kind),
            isNull(catalogItems.problem),
          ),
        ),

    /** Served items of several servers, in no order: their caller sorts fewer at once. */
    async served(tenant: TenantId, serverIds: readonly ServerId[], kind: CatalogKind) {
      const rows = await this.servedQuery(tenant, serverIds, kind)
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
            eq(catalogItems.tenant, tenant),
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
      .where(and(eq(catalogItems.tenant, server.tenant), eq(catalogItems.serverId, server.id))),
    ...chunksOf(catalog.items).map((rows) =>
      db.insert(catalogItems).select(
        // In the order of the table's columns.
        sql`select ${server.tenant}, ${server.id}, ${column('kind')}, ${column('position')},
          ${column('key')}, ${column('definition')}, ${column('contentHash')},
          ${column('problem')}, ${column('headerParams')}, ${column('readOnly')},
          ${column('idempotent')} from json_each(${rows})`,
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
