import { and, asc, eq, gt, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { z } from 'zod'
import { EndpointId, type ServerPath, type TenantId } from '../core/index.ts'
import { tenants } from '../observability/index.ts'
import { MAX_ITEMS_OF_KIND } from './catalog.ts'
import { createCatalogRepository, servedAt } from './catalog-repository.ts'
import type { IndexedServer } from './indexed-server.ts'
import { EndpointRow, jsonOf, ServerRow, type StoredServer } from './rows.ts'
import { HeaderParam, type ToolFacts } from './server-record.ts'
import { createServerRepository } from './server-repository.ts'
import { catalogItems, servers } from './tables.ts'
import { type Offers, offersOf, pinStateOf } from './virtual/virtual-pins.ts'
import type { VirtualServerRecord } from './virtual/virtual-record.ts'
import { createVirtualRepository, OfferedRow } from './virtual/virtual-repository.ts'
import { type StoredVirtual, VirtualRow } from './virtual/virtual-rows.ts'

/** A server and what a call has to know of what it serves. */
export interface LoadedServer {
  readonly kind: 'server'
  readonly server: StoredServer
  readonly tools: ReadonlyMap<string, ToolFacts>
  readonly prompts: ReadonlySet<string>
}

/** What has a path. */
export type LoadedEndpoint =
  | LoadedServer
  | { readonly kind: 'virtual'; readonly virtual: VirtualServerRecord }

const HeaderParams = z.array(HeaderParam)

/** As much as a shared endpoint tells of one server: a model reads those of many at once. */
const MAX_INSTRUCTIONS_CHARS = 2_000

const IndexRow = ServerRow.pick({
  id: true,
  tenant: true,
  path: true,
  name: true,
  owner: true,
  visibility: true,
  allowedGroups: true,
  health: true,
  upstream: true,
  discovered: true,
  catalogHash: true,
  discoveredAt: true,
}).extend({
  /** Positions and ids, as they come. */
  endpointIds: jsonOf(z.array(z.tuple([z.number(), EndpointId]))).transform((placed) =>
    placed.sort(([one], [other]) => one - other).map(([, id]) => id),
  ),
})

/** What the per-isolate snapshot reads. */
export function createSnapshotRepository(db: DrizzleD1Database) {
  const base = createServerRepository(db).queries
  const virtuals = createVirtualRepository(db).queries
  const catalog = createCatalogRepository(db)
  const queries = {
    generation: (tenant: TenantId) =>
      db.select({ generation: tenants.generation }).from(tenants).where(eq(tenants.id, tenant)),

    tools: (tenant: TenantId, path: ServerPath) =>
      db
        .select({
          name: catalogItems.key,
          headerParams: catalogItems.headerParams,
          readOnly: catalogItems.readOnly,
          idempotent: catalogItems.idempotent,
        })
        .from(catalogItems)
        .where(servedAt(db, tenant, path, 'tool'))
        .orderBy(asc(catalogItems.position))
        .limit(MAX_ITEMS_OF_KIND),

    index: (tenant: TenantId, after: string, limit: number) =>
      db
        .select({
          id: servers.id,
          tenant: servers.tenant,
          path: servers.path,
          name: servers.name,
          owner: servers.owner,
          visibility: servers.visibility,
          allowedGroups: servers.allowedGroups,
          health: servers.health,
          upstream: servers.upstream,
          discovered: servers.discovered,
          catalogHash: servers.catalogHash,
          discoveredAt: servers.discoveredAt,
          // Spelt out: drizzle leaves the tables out of a select from one table.
          endpointIds: sql<string>`(select json_group_array(json_array(position, id))
            from endpoints where endpoints.server_id = servers.id)`,
        })
        .from(servers)
        .where(and(eq(servers.tenant, tenant), gt(servers.path, after), eq(servers.enabled, true)))
        .orderBy(asc(servers.path))
        .limit(limit),
  }

  return {
    queries,

    /** The tenant's generation; 0 before its first write. */
    async generation(tenant: TenantId): Promise<number> {
      const [row] = await queries.generation(tenant)
      return row?.generation ?? 0
    },

    /** One round trip, whatever the path turns out to be. */
    async endpoint(tenant: TenantId, path: ServerPath): Promise<LoadedEndpoint | undefined> {
      const [[row], endpointRows, toolRows, promptRows, [virtualRow], offered] = await db.batch([
        base.server(tenant, path),
        base.endpoints(tenant, path),
        queries.tools(tenant, path),
        catalog.servedKeysQuery(tenant, path, 'prompt'),
        virtuals.virtual(tenant, path),
        virtuals.offeredAt(tenant, path),
      ])
      if (virtualRow !== undefined) {
        const offers = offersOf(offered.map((item) => OfferedRow.parse(item)))
        return { kind: 'virtual', virtual: pinned(VirtualRow.parse(virtualRow), offers) }
      }
      if (row === undefined) return undefined
      return {
        kind: 'server',
        server: {
          ...ServerRow.parse(row),
          endpoints: endpointRows.map((endpoint) => EndpointRow.parse(endpoint)),
        },
        tools: new Map(
          toolRows.map(({ name, headerParams, readOnly, idempotent }) => [
            name,
            { headerParams: HeaderParams.parse(JSON.parse(headerParams)), readOnly, idempotent },
          ]),
        ),
        prompts: new Set(promptRows.map(({ key }) => key)),
      }
    },

    /** Enabled servers of the tenant behind `after` (empty for the first), by path. */
    async index(tenant: TenantId, after: string, limit: number): Promise<IndexedServer[]> {
      const rows = await queries.index(tenant, after, limit)
      return rows.map((row) => {
        const server = IndexRow.parse(row)
        const { instructions, ...upstream } = server.upstream
        const text = instructions?.trim().slice(0, MAX_INSTRUCTIONS_CHARS)
        return { ...server, upstream: { ...upstream, ...(text && { instructions: text }) } }
      })
    },
  }
}

/** A catalogue that changes makes a new generation, so how pins stand holds for a snapshot. */
function pinned(stored: StoredVirtual, offers: Offers): VirtualServerRecord {
  const { counts: _counts, createdAt: _at, updatedAt: _to, ...virtual } = stored
  const items = stored.items.map((item) => ({ ...item, state: pinStateOf(item, offers) }))
  return { ...virtual, items }
}
