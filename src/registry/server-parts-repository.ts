import { and, eq } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { Statement } from './batch-repository.ts'
import type { Catalog } from './catalog.ts'
import { replaceCatalogStatements } from './catalog-repository.ts'
import type { StoredEndpoint, StoredServer } from './rows.ts'
import { endpoints, serverTags } from './tables.ts'

/** Endpoint rows of 12 columns that fit into D1's 100 bound parameters. */
const ENDPOINTS_PER_INSERT = 8

/** What a write replaces besides the columns. Absent parts stay. */
export interface ServerParts {
  readonly endpoints?: readonly StoredEndpoint[] | undefined
  readonly catalog?: Catalog | undefined
}

/** Statements that replace the given parts of a server. */
export function partStatements(
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

/** Statements that make `tags` the tags of a server. */
export function tagStatements(
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
