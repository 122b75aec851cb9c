import { and, asc, count, eq, gt, inArray, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { z } from 'zod'
import { EndpointId, ServerPath, TenantId } from '../core/index.ts'
import { auditStatements, type WriteContext } from '../observability/index.ts'
import { runBatch, type Statement } from './batch-repository.ts'
import { Health, UpstreamFacts } from './server-record.ts'
import { endpoints, servers } from './tables.ts'
import { Transport, TransportChoice } from './transports.ts'

/** What a probe found, hysteresis applied. */
export interface ProbeRecord {
  readonly endpointId: EndpointId
  readonly health: Health
  readonly consecutiveFailures: number
  readonly consecutiveSuccesses: number
  readonly latencyMs: number | null
  /** Epoch ms. */
  readonly probedAt: number
  /** Fit for the server's owner to read; null after a success. */
  readonly error: string | null
}

/** An endpoint whose health changed. */
export interface HealthFlip {
  readonly tenant: TenantId
  readonly path: ServerPath
  readonly serverId: string
  readonly endpointId: EndpointId
  readonly health: Health
  readonly reason: string
}

const TargetRow = z.object({
  endpointId: EndpointId,
  serverId: z.string(),
  tenant: TenantId,
  path: ServerPath,
  url: z.string(),
  transport: Transport,
  transportChoice: TransportChoice,
  transportDetectedAt: z.number().nullable(),
  health: Health,
  consecutiveFailures: z.number(),
  consecutiveSuccesses: z.number(),
  timeoutMs: z.number(),
  headersSealed: z.string().nullable(),
  upstream: z.string().transform((text) => UpstreamFacts.parse(JSON.parse(text))),
  catalogHash: z.string().nullable(),
  discoveredAt: z.number().nullable(),
})

/** An endpoint to probe, its server's custom headers still sealed. */
export type SealedProbeTarget = z.infer<typeof TargetRow>

/** At most this many records a batch: one statement for all, three for each that flipped. */
const RECORDS_PER_BATCH = 100

/** Health checks read and write across tenants: nobody's call, so nobody's tenant. */
export function createHealthRepository(db: DrizzleD1Database) {
  const queries = {
    ids: (after: string, limit: number) =>
      db
        .select({ id: endpoints.id })
        .from(endpoints)
        .innerJoin(servers, eq(servers.id, endpoints.serverId))
        .where(and(gt(endpoints.id, after), eq(servers.enabled, true)))
        .orderBy(asc(endpoints.id))
        .limit(limit),

    targets: (ids: readonly EndpointId[]) =>
      db
        .select({
          endpointId: endpoints.id,
          serverId: endpoints.serverId,
          tenant: endpoints.tenant,
          path: servers.path,
          url: endpoints.url,
          transport: servers.transport,
          transportChoice: servers.transportChoice,
          transportDetectedAt: servers.transportDetectedAt,
          health: endpoints.health,
          consecutiveFailures: endpoints.consecutiveFailures,
          consecutiveSuccesses: endpoints.consecutiveSuccesses,
          timeoutMs: servers.timeoutMs,
          headersSealed: servers.headersSealed,
          upstream: servers.upstream,
          catalogHash: servers.catalogHash,
          discoveredAt: servers.discoveredAt,
        })
        .from(endpoints)
        .innerJoin(servers, eq(servers.id, endpoints.serverId))
        // One bound string: D1 takes 100 parameters a statement.
        .where(inArray(endpoints.id, sql`(select value from json_each(${JSON.stringify(ids)}))`))
        .limit(ids.length),

    record(records: readonly ProbeRecord[]) {
      const found = (member: keyof ProbeRecord) => sql`probe.value->>${sql.raw(`'$.${member}'`)}`
      return db
        .update(endpoints)
        .set({
          health: found('health'),
          consecutiveFailures: found('consecutiveFailures'),
          consecutiveSuccesses: found('consecutiveSuccesses'),
          lastLatencyMs: found('latencyMs'),
          lastProbedAt: found('probedAt'),
          lastError: found('error'),
        })
        .from(sql`json_each(${JSON.stringify(records)}) as probe`)
        .where(eq(endpoints.id, found('endpointId')))
    },

    byHealth: () =>
      db.select({ health: servers.health, count: count() }).from(servers).groupBy(servers.health),

    /** The best health of the server's endpoints, as `healthOf` in rows.ts. */
    summarise: (tenant: TenantId, serverId: string) =>
      db
        .update(servers)
        .set({
          health: sql`case
            when exists (select 1 from ${endpoints} where ${endpoints.serverId} = ${serverId}
              and ${endpoints.health} = 'healthy') then 'healthy'
            when exists (select 1 from ${endpoints} where ${endpoints.serverId} = ${serverId}
              and ${endpoints.health} = 'unknown') then 'unknown'
            else 'unhealthy' end`,
        })
        .where(and(eq(servers.tenant, tenant), eq(servers.id, serverId))),
  }

  async function recordSome(
    ctx: WriteContext,
    records: readonly ProbeRecord[],
  ): Promise<HealthFlip[]> {
    const stored = await queries.targets(records.map((record) => record.endpointId))
    const byId = new Map(stored.map((row) => [row.endpointId, TargetRow.parse(row)]))
    const flips = records.flatMap((record): HealthFlip[] => {
      const before = byId.get(record.endpointId)
      if (before === undefined || before.health === record.health) return []
      const { tenant, path, serverId, endpointId } = before
      const reason = record.error ?? 'The probe succeeded.'
      return [{ tenant, path, serverId, endpointId, health: record.health, reason }]
    })
    await runBatch(db, [
      queries.record(records),
      ...flips.flatMap((flip): Statement[] => [
        queries.summarise(flip.tenant, flip.serverId),
        ...auditStatements(db, ctx, {
          tenant: flip.tenant,
          actor: 'system',
          action: 'endpoint.health',
          target: flip.path,
          summary: { endpoint: flip.endpointId, health: flip.health, reason: flip.reason },
        }),
      ]),
    ])
    return flips
  }

  return {
    queries,

    /** Endpoints of enabled servers in the order of their ids, behind `after` (empty: all). */
    async listIds(limit: number, after = ''): Promise<EndpointId[]> {
      const rows = await queries.ids(after, limit)
      return rows.map((row) => EndpointId.parse(row.id))
    },

    /** Servers of all tenants. */
    async countByHealth(): Promise<Record<Health, number>> {
      const counts = { healthy: 0, unhealthy: 0, unknown: 0 }
      for (const row of await queries.byHealth()) counts[Health.parse(row.health)] = row.count
      return counts
    },

    /** Unknown ids are left out. */
    async targets(ids: readonly EndpointId[]): Promise<SealedProbeTarget[]> {
      if (ids.length === 0) return []
      const rows = await queries.targets(ids)
      return rows.map((row) => TargetRow.parse(row))
    },

    /** Writes every record; only a changed health costs a generation and a change-log row. */
    async record(ctx: WriteContext, records: readonly ProbeRecord[]): Promise<HealthFlip[]> {
      const flips: HealthFlip[] = []
      for (let start = 0; start < records.length; start += RECORDS_PER_BATCH) {
        flips.push(...(await recordSome(ctx, records.slice(start, start + RECORDS_PER_BATCH))))
      }
      return flips
    },
  }
}
