import { type CallContext, canonicalJson } from '../core/index.ts'
import type { Actor } from '../policy/index.ts'
import type { CustomHeaders } from './custom-headers.ts'
import type { DiscoveryOutcome } from './discover-endpoints.ts'
import { healthOf, type ServerChanges, type StoredEndpoint, type StoredServer } from './rows.ts'
import { mergeEndpoints, withOutcome } from './server-endpoints.ts'
import { isLegacyTried } from './server-record.ts'
import { transportUntilAsked } from './transports.ts'
import type { VerbDeps } from './verb-deps.ts'
import { type ServerOut, serverOutOf } from './views.ts'

/** What a PUT or a PATCH comes to. Absent members stay as they are. */
export interface WantedUpdate {
  readonly columns: ServerChanges
  readonly endpoints?: readonly { readonly url: string; readonly weight: number }[] | undefined
  /** All custom headers, not only the changed ones. */
  readonly headers?: CustomHeaders | undefined
  readonly allowUnreachable: boolean
}

/**
 * Writes an authorised update: asks the upstream again when its addresses or headers changed, then
 * one batch with the change-log row `server.update`, which names the changed members.
 */
export async function updateServer(
  deps: VerbDeps,
  ctx: CallContext,
  actor: Actor,
  server: StoredServer,
  wanted: WantedUpdate,
): Promise<ServerOut> {
  const kept = wanted.endpoints && mergeEndpoints(ctx, wanted.endpoints, server.endpoints)
  const outcome = await rediscover(deps, ctx, server, wanted, kept)
  const endpoints = outcome ? withOutcome(kept ?? server.endpoints, outcome, ctx.clock.now()) : kept
  const changes: ServerChanges = {
    ...wanted.columns,
    ...(outcome && unasked(server, wanted, kept)),
    ...(wanted.headers && {
      headersSealed: await deps.headers.seal(server.tenant, server.id, wanted.headers),
      headerNames: Object.keys(wanted.headers),
    }),
    ...(endpoints && { health: healthOf(endpoints) }),
    ...(outcome?.found && foundColumns(outcome.found, ctx.clock.now())),
  }
  const catalog = outcome?.found?.catalog
  await deps.repositories.servers.update(
    ctx,
    server,
    changes,
    { endpoints, catalog },
    {
      tenant: server.tenant,
      actor: actor.principal.key,
      action: 'server.update',
      target: server.path,
      summary: { changed: changedNames(server, wanted), rediscovered: outcome !== undefined },
    },
  )
  deps.snapshots.drop(server.tenant)
  emitCatalogChange(deps, server, catalog?.hash)
  const updated = { ...server, ...changes, updatedAt: ctx.clock.now() }
  return serverOutOf(actor, { ...updated, endpoints: endpoints ?? server.endpoints })
}

/** What is taken for its transport until an endpoint that was named now has answered. */
function unasked(
  server: StoredServer,
  { columns }: WantedUpdate,
  kept: readonly StoredEndpoint[] = server.endpoints,
): ServerChanges {
  const choice = columns.transportChoice ?? server.transportChoice
  return { transport: transportUntilAsked(choice, kept), transportDetectedAt: null }
}

/** The columns that say what an upstream is and offers. */
export function foundColumns(
  { facts, catalog, transport, choice }: NonNullable<DiscoveryOutcome['found']>,
  now: number,
): ServerChanges {
  return {
    transport,
    transportDetectedAt: choice === 'auto' ? now : null,
    upstream: facts,
    discovered: catalog.counts,
    catalogHash: catalog.hash,
    discoveredAt: now,
  }
}

/** Tells that a server offers something else than before. */
export function emitCatalogChange(
  deps: Pick<VerbDeps, 'events'>,
  server: { readonly tenant: string; readonly path: string; readonly catalogHash: string | null },
  hash: string | undefined,
): void {
  if (hash === undefined || hash === server.catalogHash) return
  deps.events.emit({ type: 'catalog_changed', tenant: server.tenant, server: server.path })
}

/** Asks the upstream when it is somewhere else now, or is spoken to in another way. */
async function rediscover(
  deps: VerbDeps,
  ctx: CallContext,
  server: StoredServer,
  wanted: WantedUpdate,
  kept: readonly StoredEndpoint[] = server.endpoints,
): Promise<DiscoveryOutcome | undefined> {
  const before = server.endpoints.map((endpoint) => endpoint.url)
  const isMoved = kept.length !== before.length || kept.some(({ url }) => !before.includes(url))
  const choice = wanted.columns.transportChoice ?? server.transportChoice
  const isNew = isMoved || choice !== server.transportChoice
  if (!isNew && !(await hasNewHeaders(deps, server, wanted.headers))) return undefined
  const { tenant, id, headersSealed } = server
  return deps.discoverEndpoints(ctx, {
    endpoints: kept,
    choice,
    headers: wanted.headers ?? (await deps.headers.open(tenant, id, headersSealed)),
    timeoutMs: wanted.columns.timeoutMs ?? server.timeoutMs,
    allowUnreachable: wanted.allowUnreachable,
    triesLegacy: isLegacyTried(server.upstream),
  })
}

async function hasNewHeaders(
  deps: VerbDeps,
  server: StoredServer,
  wanted: CustomHeaders | undefined,
): Promise<boolean> {
  if (wanted === undefined) return false
  try {
    const stored = await deps.headers.open(server.tenant, server.id, server.headersSealed)
    return canonicalJson(stored) !== canonicalJson(wanted)
  } catch {
    // The seal does not open any more: this write is the repair.
    return true
  }
}

function changedNames(server: StoredServer, wanted: WantedUpdate): string[] {
  const current: Readonly<Record<string, unknown>> = { ...server }
  const columns = Object.entries(wanted.columns)
    .filter(([name, value]) => JSON.stringify(current[name]) !== JSON.stringify(value))
    .map(([name]) => name)
  return [
    ...columns,
    ...(wanted.endpoints === undefined ? [] : ['endpoints']),
    ...(wanted.headers === undefined ? [] : ['headers']),
  ]
}
