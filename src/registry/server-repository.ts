import { and, asc, eq, getTableColumns, gt, inArray, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { GatewayError, type ServerId, type ServerPath, type TenantId } from '../core/index.ts'
import { auditStatements, type ChangeEntry, type WriteContext } from '../observability/index.ts'
import { notFoundServer } from '../policy/index.ts'
import { isConstraintFault, runBatch, type Statement } from './batch-repository.ts'
import type { Catalog } from './catalog.ts'
import { assertPathHeld, type PathHolder, serverIdAt, takePath } from './path-repository.ts'
import {
  changedColumns,
  EndpointRow,
  type ListedServer,
  type ServerChanges,
  ServerRow,
  type StoredServer,
  serverColumns,
} from './rows.ts'
import { partStatements, type ServerParts, tagStatements } from './server-parts-repository.ts'
import type { Health } from './server-record.ts'
import { endpoints, servers, serverTags, takenPaths } from './tables.ts'

export interface ServerFilters {
  readonly tag?: string | undefined
  readonly text?: string | undefined
  readonly health?: Health | undefined
}

/** What came of an update of what was read before. */
export type Updated =
  | { readonly kind: 'stored' }
  /** It was deleted meanwhile. */
  | { readonly kind: 'gone' }
  /** Somebody else changed it meanwhile. */
  | { readonly kind: 'outdated'; readonly cause: unknown }

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
          and(eq(endpoints.tenant, tenant), eq(endpoints.serverId, serverIdAt(db, tenant, path))),
        )
        .orderBy(asc(endpoints.position))
        .limit(100),

    taken: (tenant: TenantId, path: ServerPath) =>
      db
        .select({ path: takenPaths.path })
        .from(takenPaths)
        .where(and(eq(takenPaths.tenant, tenant), eq(takenPaths.path, path)))
        .limit(1),

    firstAddresses: (tenant: TenantId, ids: readonly ServerId[]) =>
      db
        .select({ serverId: endpoints.serverId, url: endpoints.url })
        .from(endpoints)
        .where(
          and(
            eq(endpoints.tenant, tenant),
            inArray(endpoints.serverId, sql`(select value from json_each(${JSON.stringify(ids)}))`),
            eq(endpoints.position, 0),
          ),
        )
        .limit(ids.length),

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

    /** Whether a server or a virtual server of the tenant has the path. */
    async isTaken(tenant: TenantId, path: ServerPath): Promise<boolean> {
      return (await queries.taken(tenant, path)).length > 0
    },

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

    /** The URL of each server's first endpoint. */
    async firstAddresses(
      tenant: TenantId,
      ids: readonly ServerId[],
    ): Promise<ReadonlyMap<string, string>> {
      if (ids.length === 0) return new Map()
      const rows = await queries.firstAddresses(tenant, ids)
      return new Map(rows.map(({ serverId, url }) => [serverId, url]))
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
          takePath(db, holderOf(server)),
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
      const updated = await this.tryUpdate(ctx, server, changes, parts, change)
      if (updated.kind === 'gone') throw notFoundServer(server.path)
      if (updated.kind === 'outdated') throw changedMeanwhile(server.path, updated.cause)
    },

    /** Stores all of it, or nothing. */
    async tryUpdate(
      ctx: WriteContext,
      server: StoredServer,
      changes: ServerChanges,
      parts: ServerParts,
      change: ChangeEntry,
    ): Promise<Updated> {
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
        assertPathHeld(db, holderOf(server)),
        ...partStatements(db, server, parts),
        ...(changes.tags === undefined ? [] : tagStatements(db, server, changes.tags)),
        ...auditStatements(db, ctx, change),
      ]
      try {
        await runBatch(db, statements)
        return { kind: 'stored' }
      } catch (cause) {
        if (isConstraintFault(cause, 'FOREIGN KEY')) return { kind: 'gone' }
        if (isConstraintFault(cause, 'NOT NULL', 'servers.path')) {
          return { kind: 'outdated', cause }
        }
        throw cause
      }
    },

    /**
     * Stores when the server was last found to offer what is stored. No change that anybody reads
     * a snapshot for, so no generation; nothing when it offers something else by now.
     */
    async markDiscovered({ tenant, id, catalogHash }: StoredServer, at: number): Promise<void> {
      await db
        .update(servers)
        .set({ discoveredAt: at })
        .where(
          and(
            eq(servers.tenant, tenant),
            eq(servers.id, id),
            catalogHash === null ? undefined : eq(servers.catalogHash, catalogHash),
          ),
        )
    },

    /** Deletes the server and everything that hangs on it. */
    async remove(ctx: WriteContext, server: StoredServer, change: ChangeEntry): Promise<void> {
      await runBatch(db, [
        // Endpoints, tags, catalogue, its path and group memberships go by their foreign keys.
        db.delete(servers).where(and(eq(servers.tenant, server.tenant), eq(servers.id, server.id))),
        ...auditStatements(db, ctx, change),
      ])
    },
  }
}

function holderOf({ tenant, path, id }: StoredServer): PathHolder {
  return { tenant, path, serverId: id }
}

/** The answer to a write that read what somebody else has changed since. */
export function changedMeanwhile(path: string, cause: unknown): GatewayError {
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
