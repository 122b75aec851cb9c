import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { ServerPath, TenantId } from '../core/index.ts'
import { servers, takenPaths } from './tables.ts'

/** Who holds a path: a server or a virtual server. */
export interface PathHolder {
  readonly tenant: TenantId
  readonly path: ServerPath
  readonly serverId?: string
  readonly virtualId?: string
}

/** Selects the id of the server at the path; null when there is none. */
export function serverIdAt(db: DrizzleD1Database, tenant: TenantId, path: ServerPath): SQL {
  const ofPath = and(eq(servers.tenant, tenant), eq(servers.path, path))
  return sql`(${db.select({ id: servers.id }).from(servers).where(ofPath)})`
}

/** Takes the path for a new holder; breaks UNIQUE, and with it the batch, when it is taken. */
export function takePath(db: DrizzleD1Database, holder: PathHolder) {
  return db.insert(takenPaths).values(holder)
}

/**
 * Changes nothing while the holder exists; breaks FOREIGN KEY, and with it the batch, when it was
 * deleted meanwhile: an update of no rows would pass, and be recorded as a change.
 */
export function assertPathHeld(db: DrizzleD1Database, holder: PathHolder) {
  return db
    .insert(takenPaths)
    .values(holder)
    .onConflictDoUpdate({
      target: [takenPaths.tenant, takenPaths.path],
      set: {
        serverId: sql`excluded.server_id`,
        virtualId: sql`excluded.virtual_id`,
      },
    })
}
