import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { z } from 'zod'
import type { ServerPath, TenantId } from '../core/index.ts'
import { tenants } from '../observability/index.ts'
import { EndpointRow, ServerRow, type StoredServer } from './rows.ts'
import { HeaderParam, type ToolFacts } from './server-record.ts'
import { createServerRepository } from './server-repository.ts'
import { catalogItems, servers } from './tables.ts'

/** A server and the facts of the tools that are served. */
export interface LoadedServer {
  readonly server: StoredServer
  readonly tools: ReadonlyMap<string, ToolFacts>
}

const HeaderParams = z.array(HeaderParam)

/** What the per-isolate snapshot reads. */
export function createSnapshotRepository(db: DrizzleD1Database) {
  const base = createServerRepository(db).queries
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
        .where(
          and(
            eq(catalogItems.tenant, tenant),
            eq(
              catalogItems.serverId,
              sql`(${db
                .select({ id: servers.id })
                .from(servers)
                .where(and(eq(servers.tenant, tenant), eq(servers.path, path)))})`,
            ),
            eq(catalogItems.kind, 'tool'),
            isNull(catalogItems.problem),
          ),
        )
        .orderBy(asc(catalogItems.position))
        .limit(2000),
  }

  return {
    queries,

    /** The tenant's generation; 0 before its first write. */
    async generation(tenant: TenantId): Promise<number> {
      const [row] = await queries.generation(tenant)
      return row?.generation ?? 0
    },

    /** One round trip. */
    async server(tenant: TenantId, path: ServerPath): Promise<LoadedServer | undefined> {
      const [[row], endpointRows, toolRows] = await db.batch([
        base.server(tenant, path),
        base.endpoints(tenant, path),
        queries.tools(tenant, path),
      ])
      if (row === undefined) return undefined
      return {
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
      }
    },
  }
}
