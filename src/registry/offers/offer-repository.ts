import { and, asc, eq, gt, isNull, type SQL, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { TenantId } from '../../core/index.ts'
import { catalogItems, servers, serverTags } from '../tables.ts'
import { Offer, type OfferKind, type WantedOffer } from './offer.ts'

/** Rows of one read: D1 answers in some milliseconds, and an isolate holds them beside the rest. */
const ROWS_PER_READ = 1_000
/** For the 10,000 servers of a tenant that an isolate looks at, as for its index. */
const MAX_READS = 10

/** What some reads of D1 brought. */
export interface ReadOffers {
  readonly offers: readonly Offer[]
  readonly reads: number
  /** Whether that is all of them, as far as an isolate looks. */
  readonly isWhole: boolean
}

/** Who offers what, by an index over a tenant's catalogue. */
export function createOfferRepository(db: DrizzleD1Database) {
  const ofServer = {
    serverId: servers.id,
    path: servers.path,
    owner: servers.owner,
    visibility: servers.visibility,
    allowedGroups: servers.allowedGroups,
    tags: servers.tags,
    health: servers.health,
    registeredAt: servers.createdAt,
    endpoints: sql<string>`(select json_group_array(json_array(endpoints.id, endpoints.health,
      endpoints.weight, endpoints.last_latency_ms))
      from endpoints where endpoints.server_id = ${servers.id})`.as('endpoint_list'),
  }
  const ofItem = {
    ...ofServer,
    key: catalogItems.key,
    // What was stored before schemas were hashed is compared by all of it.
    definition: sql<string>`case when ${catalogItems.kind} = 'tool'
      then coalesce(nullif(${catalogItems.schemaHash}, ''), ${catalogItems.contentHash})
      else '' end`.as('definition_hash'),
  }

  const queries = {
    offers: (tenant: TenantId, kind: OfferKind, key: string, after: string) =>
      db
        .select(ofItem)
        .from(catalogItems)
        .innerJoin(servers, eq(servers.id, catalogItems.serverId))
        .where(
          and(
            eq(catalogItems.tenant, tenant),
            eq(catalogItems.kind, kind),
            eq(catalogItems.key, key),
            gt(catalogItems.serverId, after),
            isNull(catalogItems.problem),
            eq(servers.enabled, true),
          ),
        )
        .orderBy(asc(catalogItems.serverId))
        .limit(ROWS_PER_READ),

    tagged: (tenant: TenantId, tag: string, after: string) =>
      db
        .select({
          ...ofServer,
          key: sql<string>`''`.as('key'),
          definition: sql<string>`''`.as('d'),
        })
        .from(serverTags)
        .innerJoin(servers, eq(servers.id, serverTags.serverId))
        .where(
          and(
            eq(serverTags.tenant, tenant),
            eq(serverTags.tag, tag),
            gt(serverTags.path, after),
            eq(servers.enabled, true),
          ),
        )
        .orderBy(asc(serverTags.path))
        .limit(ROWS_PER_READ),

    /** Also of servers that are off: `offers` knows. */
    keys: (tenant: TenantId, kind: OfferKind, after: string, limit: number) =>
      db
        .select({ key: catalogItems.key })
        .from(catalogItems)
        .where(
          and(
            eq(catalogItems.tenant, tenant),
            eq(catalogItems.kind, kind),
            gt(catalogItems.key, after),
          ),
        )
        .orderBy(asc(catalogItems.key))
        .limit(limit),

    ofKeys: (tenant: TenantId, kind: OfferKind, keys: SQL | string, limit: number) =>
      db
        .select(ofItem)
        .from(sql`json_each(${keys}) as wanted`)
        // A cross join is the one that SQLite never turns round: by each name, not through all items.
        .crossJoin(catalogItems)
        .innerJoin(servers, and(eq(servers.id, catalogItems.serverId), eq(servers.enabled, true)))
        .where(
          and(
            eq(catalogItems.tenant, tenant),
            eq(catalogItems.kind, kind),
            eq(catalogItems.key, sql`wanted.value`),
            isNull(catalogItems.problem),
          ),
        )
        .limit(limit),
  }

  return {
    queries,

    /**
     * Every enabled server that has it, at most 10,000, in no order that means anything; what
     * `maxReads` bring, where they end before.
     */
    async offers(tenant: TenantId, wanted: WantedOffer, maxReads = MAX_READS): Promise<ReadOffers> {
      const offers: Offer[] = []
      const most = Math.min(maxReads, MAX_READS)
      let after = ''
      for (let reads = 1; reads <= most; reads += 1) {
        const rows =
          wanted.kind === 'tag'
            ? await queries.tagged(tenant, wanted.key, after)
            : await queries.offers(tenant, wanted.kind, wanted.key, after)
        const read = rows.map((row) => Offer.parse(row))
        offers.push(...read)
        if (rows.length < ROWS_PER_READ) return { offers, reads, isWhole: true }
        const last = read.at(-1)
        after = (wanted.kind === 'tag' ? last?.path : last?.serverId) ?? ''
      }
      return { offers, reads: most, isWhole: most === MAX_READS }
    },

    /** Names and URIs behind `after` (empty for the first), in order; one may stand several times. */
    async keys(tenant: TenantId, kind: OfferKind, after: string, limit: number) {
      return queries.keys(tenant, kind, after, limit)
    },

    /** Who offers these, in no order; at most `limit` in all. */
    async ofKeys(
      tenant: TenantId,
      kind: OfferKind,
      keys: readonly string[],
      limit: number,
    ): Promise<Offer[]> {
      const rows = await queries.ofKeys(tenant, kind, JSON.stringify(keys), limit)
      return rows.map((row) => Offer.parse(row))
    },
  }
}
