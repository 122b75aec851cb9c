import { sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { CallContext, TenantId } from '../core/index.ts'
import { changeLog, tenants } from './tables.ts'

/** What a management write did. One arm of `action` per verb. */
export interface ChangeEntry {
  readonly tenant: TenantId
  /** `principal.key`, or `system` for what the gateway does by itself. */
  readonly actor: string
  readonly action:
    | 'server.register'
    | 'server.update'
    | 'server.toggle'
    | 'server.refresh'
    | 'server.delete'
    | 'endpoint.health'
    | 'virtual.create'
    | 'virtual.update'
    | 'virtual.toggle'
    | 'virtual.repin'
    | 'virtual.delete'
    | 'policy.replace'
    | 'limit.create'
    | 'limit.update'
    | 'limit.delete'
  readonly target: string
  /** Names of what changed. Never a secret. */
  readonly summary: Readonly<Record<string, unknown>>
}

/** What a management write notes of its request. */
export type WriteContext = Pick<CallContext, 'clock' | 'requestId'>

/**
 * The statements that belong in the batch of every management write: the change-log row and the
 * tenant's next generation, which makes every isolate drop its snapshot (DESIGN.md, Decision 4).
 */
export function auditStatements(
  db: DrizzleD1Database,
  ctx: WriteContext,
  entry: ChangeEntry,
): [BatchItem<'sqlite'>, BatchItem<'sqlite'>] {
  const at = ctx.clock.now()
  return [
    db.insert(changeLog).values({
      tenant: entry.tenant,
      at,
      requestId: ctx.requestId,
      actor: entry.actor,
      action: entry.action,
      target: entry.target,
      summary: JSON.stringify(entry.summary),
    }),
    db
      .insert(tenants)
      .values({ id: entry.tenant, generation: 1, createdAt: at })
      .onConflictDoUpdate({
        target: tenants.id,
        set: { generation: sql`${tenants.generation} + 1` },
      }),
  ]
}
