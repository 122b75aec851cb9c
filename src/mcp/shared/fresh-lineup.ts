import { type CallContext, type ServerId, setBounded } from '../../core/index.ts'
import type { IndexedServer, Snapshots, TenantSnapshot } from '../../registry/index.ts'
import { CATALOG_FRESH_MS, type LiveCatalog, type RefreshOutcome } from '../catalog/live-catalog.ts'
import { tellsOf } from '../notices/declared.ts'
import { type Lineup, type LineupRequest, lineupOf } from './lineup.ts'

/** A lineup, and the generation of the registry that it is of. */
export interface FreshLineup {
  readonly generation: number
  readonly lineup: Lineup
}

export interface FreshLineupDeps {
  readonly snapshots: Snapshots
  readonly live: LiveCatalog
}

/** How long a list waits for servers that were never reached; then it is given without them. */
const DEADLINE_MS = 4_000
/** The same server is asked for at most this often by one isolate. */
const ASK_EVERY_MS = 30_000
/** Servers remembered as asked; oldest out. */
const MAX_REMEMBERED = 10_000

/**
 * Who takes part in a list. Where nothing is stored of a server yet, its catalogue is fetched while
 * the request waits, up to a deadline; what is stored serves at once and is renewed behind.
 */
export function createFreshLineup({ snapshots, live }: FreshLineupDeps) {
  const askedAt = new Map<ServerId, number>()

  /** Those not asked for lately; they count as asked from now on. */
  function due(ctx: CallContext, servers: readonly IndexedServer[]): IndexedServer[] {
    const now = ctx.clock.now()
    const found = servers.filter(({ id }) => now - (askedAt.get(id) ?? -Infinity) >= ASK_EVERY_MS)
    for (const { id } of found) setBounded(askedAt, id, now, MAX_REMEMBERED)
    return found
  }

  async function current(ctx: CallContext, request: LineupRequest): Promise<FreshLineup> {
    const { tenant } = request.actor.principal
    const known = await lineupIn(await snapshots.tenant(ctx, tenant))
    const { capability } = request.list
    const isTold = known.lineup.sections.some(({ server }) => tellsOf(server.upstream, capability))
    // Whoever was told that a list has changed reads the new one, on whatever isolate.
    return isTold ? lineupIn(await snapshots.confirmed(ctx, tenant)) : known

    async function lineupIn(snapshot: TenantSnapshot): Promise<FreshLineup> {
      const lineup = lineupOf(await snapshot.index(ctx), request)
      return { generation: snapshot.generation, lineup }
    }
  }

  return async function freshLineup(
    ctx: CallContext,
    request: LineupRequest,
  ): Promise<FreshLineup> {
    const found = await current(ctx, request)
    const stale = found.lineup.sections
      .map(({ server }) => server)
      .filter((one) => isStale(ctx, live, one))
    const behind = due(ctx, stale)
    if (behind.length > 0) ctx.waitUntil(live.refresh(ctx, behind, 0))
    // Every request waits for its own answer; who failed lately is left alone by `live`.
    const { unreached } = found.lineup
    if (unreached.length === 0) return found
    const outcomes = await live.refresh(ctx, unreached, DEADLINE_MS)
    // `unchanged`: another request, or another isolate, has stored it meanwhile.
    const isNews = ({ kind }: RefreshOutcome) => kind === 'stored' || kind === 'unchanged'
    if (![...outcomes.values()].some(isNews)) return found
    // Stored by an object: this isolate does not know of the new generation yet.
    snapshots.drop(request.actor.principal.tenant)
    return current(ctx, request)
  }
}

/** The index is as old as its generation; that nothing has changed since makes no new one. */
function isStale(ctx: CallContext, live: LiveCatalog, server: IndexedServer): boolean {
  const checkedAt = Math.max(server.discoveredAt ?? 0, live.checkedAt(server.id) ?? 0)
  return ctx.clock.now() - checkedAt >= CATALOG_FRESH_MS
}
