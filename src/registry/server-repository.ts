import { and, asc, eq, getTableColumns, gt, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { type CallContext, GatewayError, type ServerPath, type TenantId } from '../core/index.ts'
import { auditStatements, type ChangeEntry } from '../observability/index.ts'
import { notFoundServer } from '../policy/index.ts'
import { isConstraintFault, runBatch, type Statement } from './batch-repository.ts'
import type { Catalog } from './catalog.ts'
import { replaceCatalogStatements } from './catalog-repository.ts'
import {
  changedColumns,
  EndpointRow,
  type ListedServer,
  type ServerChanges,
  ServerRow,
  type StoredEndpoint,
  type StoredServer,
  serverColumns,
} from './rows.ts'
import type { Health } from './server-record.ts'
import { endpoints, servers, serverTags } from './tables.ts'

/** Endpoint rows of 12 columns that fit into D1's 100 bound parameters. */
const ENDPOINTS_PER_INSERT = 8

export interface ServerFilters {
  readonly tag?: string | undefined
  readonly text?: string | undefined
  readonly health?: Health | undefined
}

/** What a write replaces besides the columns. Absent parts stay. */
export interface ServerParts {
  readonly endpoints?: readonly StoredEndpoint[] | undefined
  readonly catalog?: Catalog | undefined
}

type WriteContext = Pick<CallContext, 'clock' | 'requestId'>

/** Servers with their endpoints and tags. Every write is one batch with its change-log row. */
export function createServerRepository(db: DrizzleD1Database) {
  const ofServer = (tenant: TenantId, path: ServerPath) =>
    and(eq(servers.tenant, tenant), eq(servers.path, path))

  const queries = {
    server: (tenant: TenantId, path: ServerPath) =>
      db.select().from(servers).where(ofServer(tenant, path)).limit(1),

    endpoints: (tenant: TenantId, path: ServerPath) =>
      db
        .select()
        .from(endpoints)
        .where(
          and(
            eq(endpoints.tenant, tenant),
            eq(
              endpoints.serverId,
              sql`(${db.select({ id: servers.id }).from(servers).where(ofServer(tenant, path))})`,
            ),
          ),
        )
        .orderBy(asc(endpoints.position))
        .limit(100),

    page: (tenant: TenantId, filters: ServerFilters, after: string, limit: number) =>
      db
        .select()
        .from(servers)
        .where(and(...matching(tenant, filters), gt(servers.path, after)))
        .orderBy(asc(servers.path))
        .limit(limit),

    taggedPage: (
      tenant: TenantId,
      tag: string,
      filters: ServerFilters,
      after: string,
      limit: number,
    ) =>
      db
        .select(getTableColumns(servers))
        .from(serverTags)
        .innerJoin(servers, eq(servers.id, serverTags.serverId))
        .where(
          and(
            eq(serverTags.tenant, tenant),
            eq(serverTags.tag, tag),
            gt(serverTags.path, after),
            ...matching(tenant, filters),
          ),
        )
        .orderBy(asc(serverTags.path))
        .limit(limit),
  }

  return {
    queries,

    async find(tenant: TenantId, path: ServerPath): Promise<StoredServer | undefined> {
      const [[row], endpointRows] = await db.batch([
        queries.server(tenant, path),
        queries.endpoints(tenant, path),
      ])
      if (row === undefined) return undefined
      return {
        ...ServerRow.parse(row),
        endpoints: endpointRows.map((endpoint) => EndpointRow.parse(endpoint)),
      }
    },

    /** Servers of the tenant behind `after` (empty for the first), by path. */
    async page(
      tenant: TenantId,
      filters: ServerFilters,
      after: string,
      limit: number,
    ): Promise<ListedServer[]> {
      const rows =
        filters.tag === undefined
          ? await queries.page(tenant, filters, after, limit)
          : await queries.taggedPage(tenant, filters.tag, filters, after, limit)
      return rows.map((row) => ServerRow.parse(row))
    },

    /** Throws `conflict` when the path is taken, also by a registration running at the same time. */
    async insert(
      ctx: WriteContext,
      server: StoredServer,
      catalog: Catalog | undefined,
      change: ChangeEntry,
    ): Promise<void> {
      try {
        await runBatch(db, [
          db.insert(servers).values(serverColumns(server)),
          ...partStatements(db, server, { endpoints: server.endpoints, catalog }),
          ...tagStatements(db, server, server.tags),
          ...auditStatements(db, ctx, change),
        ])
      } catch (cause) {
        if (isConstraintFault(cause, 'UNIQUE')) throw pathTaken(server.path, cause)
        throw cause
      }
    },

    /** Throws `not_found` or `conflict` when the server was deleted or changed meanwhile. */
    async update(
      ctx: WriteContext,
      server: StoredServer,
      changes: ServerChanges,
      parts: ServerParts,
      change: ChangeEntry,
    ): Promise<void> {
      const statements: Statement[] = [
        db
          .update(servers)
          .set({
            ...changedColumns(server, changes),
            updatedAt: ctx.clock.now(),
            // Null breaks the constraint, and with it the whole batch, when somebody was faster:
            // asking an upstream takes seconds, and what was read before it may be gone.
            path: sql`case when ${servers.updatedAt} = ${server.updatedAt} then ${servers.path} end`,
          })
          .where(and(eq(servers.tenant, server.tenant), eq(servers.id, server.id))),
        ...partStatements(db, server, parts),
        ...(changes.tags === undefined ? [] : tagStatements(db, server, changes.tags)),
        ...auditStatements(db, ctx, change),
      ]
      try {
        await runBatch(db, statements)
      } catch (cause) {
        if (isConstraintFault(cause, 'FOREIGN KEY')) throw notFoundServer(server.path)
        if (isConstraintFault(cause, 'NOT NULL')) throw changedMeanwhile(server.path, cause)
        throw cause
      }
    },

    /** Deletes the server and everything that hangs on it. */
    async remove(ctx: WriteContext, server: StoredServer, change: ChangeEntry): Promise<void> {
      await runBatch(db, [
        // Endpoints, tags, catalogue and group memberships go by their foreign keys.
        db.delete(servers).where(and(eq(servers.tenant, server.tenant), eq(servers.id, server.id))),
        ...auditStatements(db, ctx, change),
      ])
    },
  }
}

function changedMeanwhile(path: string, cause: unknown): GatewayError {
  return new GatewayError('conflict', `The server ${JSON.stringify(path)} was changed meanwhile.`, {
    fix: 'Read it again, and repeat the change if it is still wanted.',
    cause,
  })
}

/** The answer to a path that is taken, whoever may see the server that has it. */
export function pathTaken(path: string, cause?: unknown): GatewayError {
  return new GatewayError('conflict', `The path ${JSON.stringify(path)} is taken.`, {
    fix: 'Choose another path, or change the server that has it.',
    cause,
  })
}

/** What besides the position selects servers. `instr`, as D1 limits LIKE patterns to 50 bytes. */
function matching(tenant: TenantId, { health, text }: ServerFilters) {
  return [
    eq(servers.tenant, tenant),
    health === undefined ? undefined : eq(servers.health, health),
    text === undefined ? undefined : sql`instr(${servers.searchText}, ${text.toLowerCase()}) > 0`,
  ]
}

function partStatements(
  db: DrizzleD1Database,
  server: StoredServer,
  parts: ServerParts,
): Statement[] {
  const { tenant, id: serverId } = server
  const rows = (parts.endpoints ?? []).map((endpoint) => ({ ...endpoint, tenant, serverId }))
  const inserts = Array.from(
    { length: Math.ceil(rows.length / ENDPOINTS_PER_INSERT) },
    (_, index) =>
      db
        .insert(endpoints)
        .values(rows.slice(index * ENDPOINTS_PER_INSERT, (index + 1) * ENDPOINTS_PER_INSERT)),
  )
  return [
    ...(parts.endpoints === undefined
      ? []
      : [
          db
            .delete(endpoints)
            .where(and(eq(endpoints.tenant, tenant), eq(endpoints.serverId, serverId))),
          ...inserts,
        ]),
    ...(parts.catalog === undefined ? [] : replaceCatalogStatements(db, server, parts.catalog)),
  ]
}

function tagStatements(
  db: DrizzleD1Database,
  server: StoredServer,
  tags: readonly string[],
): Statement[] {
  const { tenant, path, id: serverId } = server
  const rows = tags.map((tag) => ({ tenant, tag, path, serverId }))
  return [
    db
      .delete(serverTags)
      .where(and(eq(serverTags.tenant, tenant), eq(serverTags.serverId, serverId))),
    ...(rows.length === 0 ? [] : [db.insert(serverTags).values(rows)]),
  ]
}
