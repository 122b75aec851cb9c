import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** Access scopes of a tenant; the built-in ones are in code alone. */
export const accessScopes = sqliteTable(
  'access_scopes',
  {
    tenant: text('tenant').notNull(),
    name: text('name').notNull(),
    /** JSON: {permission: ['all' | 'own' | path]}. */
    permissions: text('permissions').notNull(),
    /** JSON: [{server, methods, tools?}]. */
    grants: text('grants').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.name] })],
)

export const groupMappings = sqliteTable(
  'group_mappings',
  {
    tenant: text('tenant').notNull(),
    userGroup: text('user_group').notNull(),
    scope: text('scope').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.userGroup, table.scope] })],
)

/** What administrators say about user groups; a policy may map groups that have no row here. */
export const userGroups = sqliteTable(
  'user_groups',
  {
    tenant: text('tenant').notNull(),
    name: text('name').notNull(),
    description: text('description').notNull().default(''),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.name] })],
)
