import { and, asc, eq, getTableColumns, gt, isNull, type SQL, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { z } from 'zod'
import { ServerPath, type TenantId } from '../../core/index.ts'
import { auditStatements, type ChangeEntry, type WriteContext } from '../../observability/index.ts'
import { notFoundServer, Visibility } from '../../policy/index.ts'
import { isConstraintFault, runBatch } from '../batch-repository.ts'
import { CatalogKind } from '../catalog-kinds.ts'
import { assertPathHeld, type PathHolder, takePath } from '../path-repository.ts'
import { jsonOf, names } from '../rows.ts'
import { changedMeanwhile, pathTaken } from '../server-repository.ts'
import { catalogItems, servers, virtualServers } from '../tables.ts'
import type { FleetItem } from './fleet-member.ts'
import { countItems, type ItemRef } from './virtual-choices.ts'
import type { VirtualItem } from './virtual-record.ts'
import {
  type ListedVirtual,
  ListedVirtualRow,
  type StoredVirtual,
  type VirtualChanges,
  VirtualRow,
  virtualColumns,
} from './virtual-rows.ts'
import { MAX_FLEET_ITEMS, MAX_VIRTUAL_ITEMS } from './virtual-schemas.ts'

/** @see OfferedItem */
export const OfferedRow = z.object({
  kind: CatalogKind,
  key: z.string(),
  contentHash: z.string(),
  server: ServerPath,
  owner: z.string(),
  visibility: Visibility,
  allowedGroups: names,
})

/** An item that the stored catalogue serves now, and whose it is. */
export type OfferedItem = z.infer<typeof OfferedRow>

const OfferedSchemaRow = z.object({
  kind: CatalogKind,
  server: ServerPath,
  key: z.string(),
  keywords: jsonOf(z.array(z.string())),
  hasProperty: z.number().transform((count) => count > 0),
})

/** What of a tool's input schema says whether a selector can be added to it. */
export type OfferedSchema = z.infer<typeof OfferedSchemaRow>

/** Virtual servers. Every write is one batch with its change-log row. */
export function createVirtualRepository(db: DrizzleD1Database) {
  const { items: _items, ...listed } = getTableColumns(virtualServers)
  const ofRow = ({ tenant, id }: Pick<StoredVirtual, 'tenant' | 'id'>) =>
    and(eq(virtualServers.tenant, tenant), eq(virtualServers.id, id))

  const at = (tenant: TenantId, path: ServerPath) =>
    and(eq(virtualServers.tenant, tenant), eq(virtualServers.path, path))

  const queries = {
    virtual: (tenant: TenantId, path: ServerPath) =>
      db.select().from(virtualServers).where(at(tenant, path)).limit(1),

    page: (tenant: TenantId, after: string, limit: number) =>
      db
        .select(listed)
        .from(virtualServers)
        .where(and(eq(virtualServers.tenant, tenant), gt(virtualServers.path, after)))
        .orderBy(asc(virtualServers.path))
        .limit(limit),

    /** What is offered of the items; `items` is their JSON, or selects it. */
    offered(tenant: TenantId, items: SQL | string) {
      const wanted = (member: keyof ItemRef) => sql`wanted.value->>${sql.raw(`'$.${member}'`)}`
      return db
        .select({
          kind: catalogItems.kind,
          key: catalogItems.key,
          contentHash: catalogItems.contentHash,
          server: servers.path,
          owner: servers.owner,
          visibility: servers.visibility,
          allowedGroups: servers.allowedGroups,
        })
        .from(sql`json_each(${items}) as wanted`)
        .innerJoin(servers, and(eq(servers.tenant, tenant), eq(servers.path, wanted('server'))))
        .innerJoin(
          catalogItems,
          and(
            eq(catalogItems.serverId, servers.id),
            eq(catalogItems.kind, wanted('kind')),
            eq(catalogItems.key, wanted('key')),
            isNull(catalogItems.problem),
          ),
        )
        .limit(MAX_VIRTUAL_ITEMS + MAX_FLEET_ITEMS)
    },

    /** Of tools; `items` is the JSON of references, each with its selector. */
    schemas(tenant: TenantId, items: string) {
      const wanted = (member: 'server' | 'key' | 'selector') =>
        sql`wanted.value->>${sql.raw(`'$.${member}'`)}`
      return db
        .select({
          kind: catalogItems.kind,
          server: servers.path,
          key: catalogItems.key,
          keywords: sql<string>`(select json_group_array(key)
            from json_each(${catalogItems.definition}, '$.inputSchema'))`.as('keywords'),
          hasProperty: sql<number>`(select count(*)
            from json_each(${catalogItems.definition}, '$.inputSchema.properties') as property
            where property.key = ${wanted('selector')})`.as('has_property'),
        })
        .from(sql`json_each(${items}) as wanted`)
        .innerJoin(servers, and(eq(servers.tenant, tenant), eq(servers.path, wanted('server'))))
        .innerJoin(
          catalogItems,
          and(
            eq(catalogItems.serverId, servers.id),
            eq(catalogItems.kind, 'tool'),
            eq(catalogItems.key, wanted('key')),
            isNull(catalogItems.problem),
          ),
        )
        .limit(MAX_FLEET_ITEMS)
    },

    /** What is offered of the items that the virtual server at the path has. */
    offeredAt(tenant: TenantId, path: ServerPath) {
      const { items } = virtualServers
      return this.offered(
        tenant,
        sql`(${db.select({ items }).from(virtualServers).where(at(tenant, path))})`,
      )
    },
  }

  return {
    queries,

    async find(tenant: TenantId, path: ServerPath): Promise<StoredVirtual | undefined> {
      const [row] = await queries.virtual(tenant, path)
      return row === undefined ? undefined : VirtualRow.parse(row)
    },

    /** Virtual servers of the tenant behind `after` (empty for the first), by path. */
    async page(tenant: TenantId, after: string, limit: number): Promise<ListedVirtual[]> {
      const rows = await queries.page(tenant, after, limit)
      return rows.map((row) => ListedVirtualRow.parse(row))
    },

    /** Those of the items that are served now, in no order. */
    async offered(tenant: TenantId, refs: readonly ItemRef[]): Promise<OfferedItem[]> {
      if (refs.length === 0) return []
      const named = refs.map(({ kind, server, key }) => ({ kind, server, key }))
      const rows = await queries.offered(tenant, JSON.stringify(named))
      return rows.map((row) => OfferedRow.parse(row))
    },

    /** Those of the tools that are served now, in no order. */
    async offeredSchemas(
      tenant: TenantId,
      items: readonly FleetItem<Omit<VirtualItem, 'contentHash'>>[],
    ): Promise<OfferedSchema[]> {
      if (items.length === 0) return []
      const refs = items.map(({ server, key, fleet: { selector } }) => ({ server, key, selector }))
      const rows = await queries.schemas(tenant, JSON.stringify(refs))
      return rows.map((row) => OfferedSchemaRow.parse(row))
    },

    /** Throws `conflict` when the path is taken, also by a registration running at the same time. */
    async insert(ctx: WriteContext, virtual: StoredVirtual, change: ChangeEntry): Promise<void> {
      try {
        await runBatch(db, [
          db.insert(virtualServers).values(virtualColumns(virtual)),
          takePath(db, holderOf(virtual)),
          ...auditStatements(db, ctx, change),
        ])
      } catch (cause) {
        if (isConstraintFault(cause, 'UNIQUE')) throw pathTaken(virtual.path, cause)
        throw cause
      }
    },

    /** Throws `not_found` or `conflict` when it was deleted or changed meanwhile. */
    async update(
      ctx: WriteContext,
      virtual: StoredVirtual,
      { items, allowedGroups, ...plain }: VirtualChanges,
      change: ChangeEntry,
    ): Promise<void> {
      try {
        await runBatch(db, [
          db
            .update(virtualServers)
            .set({
              ...plain,
              ...(allowedGroups && { allowedGroups: JSON.stringify(allowedGroups) }),
              ...(items && {
                items: JSON.stringify(items),
                counts: JSON.stringify(countItems(items)),
              }),
              updatedAt: ctx.clock.now(),
              // Null breaks the constraint, and with it the batch, when somebody was faster.
              path: sql`case when ${virtualServers.updatedAt} = ${virtual.updatedAt}
                then ${virtualServers.path} end`,
            })
            .where(ofRow(virtual)),
          assertPathHeld(db, holderOf(virtual)),
          ...auditStatements(db, ctx, change),
        ])
      } catch (cause) {
        if (isConstraintFault(cause, 'FOREIGN KEY')) throw notFoundServer(virtual.path)
        if (isConstraintFault(cause, 'NOT NULL')) throw changedMeanwhile(virtual.path, cause)
        throw cause
      }
    },

    /** Its path goes with it by the foreign key. */
    async remove(ctx: WriteContext, virtual: StoredVirtual, change: ChangeEntry): Promise<void> {
      await runBatch(db, [
        db.delete(virtualServers).where(ofRow(virtual)),
        ...auditStatements(db, ctx, change),
      ])
    },
  }
}

function holderOf({ tenant, path, id }: StoredVirtual): PathHolder {
  return { tenant, path, virtualId: id }
}
