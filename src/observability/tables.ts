import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** One row per tenant: what changes when anything that policy or routing reads has changed. */
export const tenants = sqliteTable('tenants', {
  id: text('id').primaryKey(),
  generation: integer('generation').notNull().default(0),
  createdAt: integer('created_at').notNull(),
})

/** Who changed what, written in the same batch as the change. */
export const changeLog = sqliteTable(
  'change_log',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    tenant: text('tenant').notNull(),
    at: integer('at').notNull(),
    requestId: text('request_id').notNull(),
    actor: text('actor').notNull(),
    action: text('action').notNull(),
    target: text('target').notNull(),
    /** JSON: names of what changed, never secret values. */
    summary: text('summary').notNull(),
  },
  (table) => [index('change_log_tenant_at').on(table.tenant, table.at)],
)
