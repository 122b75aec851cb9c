import {
  type CallContext,
  canonicalJson,
  type EndpointId,
  type ServerId,
  type ServerPath,
  type TenantId,
} from '../core/index.ts'
import { emitFault } from '../observability/index.ts'
import { buildCatalog } from './catalog.ts'
import type { HealthFlip, ProbeRecord, SealedProbeTarget } from './health-repository.ts'
import type { StoredServer } from './rows.ts'
import type { Discovery, UpstreamAddress, UpstreamFacts } from './server-record.ts'
import { emitCatalogChange, foundColumns } from './update-server.ts'
import type { VerbDeps } from './verb-deps.ts'

/** An endpoint to probe, with everything needed to reach it. */
export interface ProbeTarget extends Omit<SealedProbeTarget, 'headersSealed'> {
  readonly headers: UpstreamAddress['headers']
}

/** What the health checks need; the gateway's own work, so no actor and no permission. */
export interface Probes {
  /** Endpoints of enabled servers of all tenants, by id, behind `after`. */
  listEndpointIds(limit: number, after?: string): Promise<EndpointId[]>
  /** Unknown ids are left out, and those whose custom headers do not open (an event says so). */
  loadProbeTargets(ctx: CallContext, ids: readonly EndpointId[]): Promise<ProbeTarget[]>
  /**
   * Stores what probes found. A changed health bumps the tenant's generation and leaves the
   * change-log row `endpoint.health`; anything else does not.
   */
  recordProbes(ctx: CallContext, records: readonly ProbeRecord[]): Promise<HealthFlip[]>
  /**
   * Stores what an upstream offers when it differs from what is stored; otherwise only when that was
   * seen, which is no change: no generation, no change-log row. Of several endpoints the
   * first healthy one speaks for the server: they may differ, and would overwrite each other.
   * Throws `upstream_failed` when it is over its bounds. Change log: `server.refresh`.
   */
  storeCatalog(
    ctx: CallContext,
    target: Pick<ProbeTarget, 'tenant' | 'path' | 'serverId' | 'endpointId'>,
    discovery: Discovery,
  ): Promise<{ readonly changed: boolean }>
  /**
   * Stores what was learnt of an upstream since it was discovered, unless it is known, or the server
   * was changed or deleted meanwhile: several may learn the same at once. Change log:
   * `server.refresh`.
   */
  storeFacts(
    ctx: CallContext,
    target: { readonly tenant: TenantId; readonly path: ServerPath; readonly id: ServerId },
    upstream: UpstreamFacts,
  ): Promise<{ readonly isStored: boolean }>
}

/** @see Probes */
export function createProbes(
  deps: Pick<VerbDeps, 'repositories' | 'headers' | 'events' | 'snapshots'>,
): Probes {
  const { repositories, events, snapshots } = deps

  async function open(ctx: CallContext, sealed: SealedProbeTarget): Promise<ProbeTarget[]> {
    const { headersSealed, ...target } = sealed
    try {
      const headers = await deps.headers.open(target.tenant, target.serverId, headersSealed)
      return [{ ...target, headers: Object.entries(headers) }]
    } catch (thrown) {
      emitFault(events, ctx, 'registry.probes', thrown)
      return []
    }
  }

  return {
    listEndpointIds: (limit, after) => repositories.health.listIds(limit, after),

    async loadProbeTargets(ctx, ids) {
      const sealed = await repositories.health.targets(ids)
      return (await Promise.all(sealed.map((target) => open(ctx, target)))).flat()
    },

    async recordProbes(ctx, records) {
      const flips = await repositories.health.record(ctx, records)
      for (const { tenant, path: server, endpointId: endpoint, health, reason } of flips) {
        snapshots.drop(tenant)
        if (health === 'unknown') continue
        events.emit({ type: 'health_changed', tenant, server, endpoint, health, reason })
      }
      return flips
    },

    async storeCatalog(ctx, target, discovery) {
      const server = await repositories.servers.find(target.tenant, target.path)
      if (server?.id !== target.serverId || !speaksFor(server, target.endpointId)) {
        return { changed: false }
      }
      const catalog = await buildCatalog(discovery)
      const hasNewCatalog = catalog.hash !== server.catalogHash
      const hasNewFacts = canonicalJson(discovery.facts) !== canonicalJson(server.upstream)
      const { transport } = discovery
      if (!hasNewCatalog && !hasNewFacts && transport === server.transport) {
        await repositories.servers.markDiscovered(server, ctx.clock.now())
        return { changed: false }
      }
      const found = { facts: discovery.facts, catalog, transport, choice: server.transportChoice }
      const changes = foundColumns(found, ctx.clock.now())
      await repositories.servers.update(
        ctx,
        server,
        changes,
        { catalog },
        {
          tenant: server.tenant,
          actor: 'system',
          action: 'server.refresh',
          target: server.path,
          summary: { changed: hasNewCatalog, discovered: catalog.counts },
        },
      )
      snapshots.drop(server.tenant)
      emitCatalogChange(deps, server, catalog.hash)
      return { changed: true }
    },

    async storeFacts(ctx, { tenant, path, id }, upstream) {
      const server = await repositories.servers.find(tenant, path)
      const isNew = server?.id === id && canonicalJson(upstream) !== canonicalJson(server.upstream)
      if (!isNew) return { isStored: false }
      const { kind } = await repositories.servers.tryUpdate(
        ctx,
        server,
        { upstream },
        {},
        {
          ...{ tenant, actor: 'system', action: 'server.refresh', target: path },
          summary: { changed: false, eras: upstream.eras },
        },
      )
      // Also where somebody was faster: this isolate's copy is older than that.
      snapshots.drop(tenant)
      return { isStored: kind === 'stored' }
    },
  }
}

/** Whether the endpoint is the first healthy one, or there is none to prefer, or nothing to lose. */
function speaksFor({ endpoints, catalogHash }: StoredServer, id: EndpointId): boolean {
  const first = catalogHash === null ? undefined : endpoints.find(isHealthy)
  return first === undefined ? endpoints.some((endpoint) => endpoint.id === id) : first.id === id
}

function isHealthy({ health }: StoredServer['endpoints'][number]): boolean {
  return health === 'healthy'
}
