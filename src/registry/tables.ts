import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** Registered servers. JSON columns are parsed in `rows.ts`. */
export const servers = sqliteTable(
  'servers',
  {
    id: text('id').primaryKey(),
    tenant: text('tenant').notNull(),
    path: text('path').notNull(),
    name: text('name').notNull(),
    description: text('description').notNull(),
    /** JSON: string[]; `server_tags` holds them once more for the tag filter. */
    tags: text('tags').notNull(),
    license: text('license').notNull(),
    owner: text('owner').notNull(),
    visibility: text('visibility').notNull(),
    /** JSON: string[]. */
    allowedGroups: text('allowed_groups').notNull(),
    enabled: integer('enabled', { mode: 'boolean' }).notNull(),
    /** The one in force. */
    transport: text('transport').notNull(),
    /** What the registration says. */
    transportChoice: text('transport_choice').notNull().default('auto'),
    transportDetectedAt: integer('transport_detected_at'),
    authStrategy: text('auth_strategy').notNull(),
    /** Sealed, bound to tenant and id. */
    headersSealed: text('headers_sealed'),
    /** JSON: string[]. */
    headerNames: text('header_names').notNull(),
    timeoutMs: integer('timeout_ms').notNull(),
    trustAnnotations: integer('trust_annotations', { mode: 'boolean' }).notNull(),
    /** JSON: ResilienceSettings. */
    resilience: text('resilience').notNull().default('{}'),
    /** JSON: {source, url?, version?}. */
    provenance: text('provenance').notNull(),
    /** The best of its endpoints' health. */
    health: text('health').notNull(),
    /** JSON: UpstreamFacts. */
    upstream: text('upstream').notNull(),
    /** JSON: DiscoveredCounts. */
    discovered: text('discovered').notNull(),
    catalogHash: text('catalog_hash'),
    discoveredAt: integer('discovered_at'),
    /** Path, name and description in lower case: D1 limits LIKE patterns to 50 bytes. */
    searchText: text('search_text').notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [
    uniqueIndex('servers_tenant_path').on(table.tenant, table.path),
    index('servers_tenant_health_path').on(table.tenant, table.health, table.path),
    index('servers_health').on(table.health),
  ],
)

/** Tags by name, so that the tag filter is a range of the primary key in path order. */
export const serverTags = sqliteTable(
  'server_tags',
  {
    tenant: text('tenant').notNull(),
    tag: text('tag').notNull(),
    path: text('path').notNull(),
    serverId: text('server_id')
      .notNull()
      .references(() => servers.id, { onDelete: 'cascade' }),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.tag, table.path] }),
    index('server_tags_server').on(table.serverId),
  ],
)

export const endpoints = sqliteTable(
  'endpoints',
  {
    id: text('id').primaryKey(),
    serverId: text('server_id')
      .notNull()
      .references(() => servers.id, { onDelete: 'cascade' }),
    tenant: text('tenant').notNull(),
    position: integer('position').notNull(),
    url: text('url').notNull(),
    weight: integer('weight').notNull(),
    health: text('health').notNull(),
    consecutiveFailures: integer('consecutive_failures').notNull(),
    consecutiveSuccesses: integer('consecutive_successes').notNull(),
    lastLatencyMs: integer('last_latency_ms'),
    lastProbedAt: integer('last_probed_at'),
    lastError: text('last_error'),
  },
  (table) => [index('endpoints_server').on(table.serverId, table.position)],
)

/** What upstreams offer. Columns are written in this order by `catalog-repository.ts`. */
export const catalogItems = sqliteTable(
  'catalog_items',
  {
    tenant: text('tenant').notNull(),
    serverId: text('server_id')
      .notNull()
      .references(() => servers.id, { onDelete: 'cascade' }),
    kind: text('kind').notNull(),
    position: integer('position').notNull(),
    /** Name of a tool or prompt, URI of a resource, URI template of a template. */
    key: text('key').notNull(),
    /** Raw JSON as the upstream gave it. */
    definition: text('definition').notNull(),
    contentHash: text('content_hash').notNull(),
    /** Why it is stored and not served; null when it is served. */
    problem: text('problem'),
    /** JSON: HeaderParam[]; tools only. */
    headerParams: text('header_params').notNull(),
    readOnly: integer('read_only', { mode: 'boolean' }).notNull(),
    idempotent: integer('idempotent', { mode: 'boolean' }).notNull(),
    /** SHA-256 of a tool's canonical input schema; empty for other kinds and what is older. */
    schemaHash: text('schema_hash').notNull().default(''),
  },
  (table) => [
    primaryKey({ columns: [table.serverId, table.kind, table.position] }),
    index('catalog_items_key').on(table.serverId, table.kind, table.key),
    // Who offers this, of a tenant's servers.
    index('catalog_items_offers').on(table.tenant, table.kind, table.key, table.serverId),
  ],
)

/** Servers made of chosen things of others. JSON columns are parsed in `virtual-rows.ts`. */
export const virtualServers = sqliteTable(
  'virtual_servers',
  {
    id: text('id').primaryKey(),
    tenant: text('tenant').notNull(),
    path: text('path').notNull(),
    name: text('name').notNull(),
    description: text('description').notNull(),
    instructions: text('instructions').notNull(),
    owner: text('owner').notNull(),
    visibility: text('visibility').notNull(),
    /** JSON: string[]. */
    allowedGroups: text('allowed_groups').notNull(),
    enabled: integer('enabled', { mode: 'boolean' }).notNull(),
    /** JSON: VirtualItem[]; a request body bounds it well below a row's 2 MB. */
    items: text('items').notNull(),
    /** JSON: DiscoveredCounts, so that a list need not read the items. */
    counts: text('counts').notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [uniqueIndex('virtual_servers_tenant_path').on(table.tenant, table.path)],
)

/**
 * What makes a path unique over servers and virtual servers together. Rows come in the batch that
 * inserts the holder, and go with it by their foreign key.
 */
export const takenPaths = sqliteTable(
  'taken_paths',
  {
    tenant: text('tenant').notNull(),
    path: text('path').notNull(),
    serverId: text('server_id').references(() => servers.id, { onDelete: 'cascade' }),
    virtualId: text('virtual_id').references(() => virtualServers.id, { onDelete: 'cascade' }),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.path] }),
    index('taken_paths_server').on(table.serverId),
    index('taken_paths_virtual').on(table.virtualId),
  ],
)

/** Named groups of servers. */
export const serverGroups = sqliteTable(
  'server_groups',
  {
    tenant: text('tenant').notNull(),
    name: text('name').notNull(),
    description: text('description').notNull().default(''),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.name] })],
)

export const serverGroupMembers = sqliteTable(
  'server_group_members',
  {
    tenant: text('tenant').notNull(),
    groupName: text('group_name').notNull(),
    serverId: text('server_id')
      .notNull()
      .references(() => servers.id, { onDelete: 'cascade' }),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.groupName, table.serverId] }),
    index('server_group_members_server').on(table.serverId),
  ],
)

/** Rate limits and quotas of tenants. */
export const limitRules = sqliteTable(
  'limit_rules',
  {
    id: text('id').primaryKey(),
    tenant: text('tenant').notNull(),
    name: text('name').notNull(),
    /** JSON: LimitRuleInput. */
    rule: text('rule').notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [uniqueIndex('limit_rules_tenant_name').on(table.tenant, table.name)],
)
