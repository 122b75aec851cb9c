import type {
  CallContext,
  EndpointId,
  FreshnessConfig,
  HostVerdicts,
  PrivateHosts,
  Sealer,
  TenantId,
} from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import type { BootstrapAdmin } from '../policy/index.ts'
import type { BreakerPhase, ResilienceDefaults } from '../resilience/index.ts'
import { createCatalogReader } from './catalog-reader.ts'
import { createCursors } from './cursor.ts'
import { createHeaderVault } from './custom-headers.ts'
import { createDiscoverEndpoints } from './discover-endpoints.ts'
import type { WantedOffer } from './offers/offer.ts'
import { createProbes } from './probes.ts'
import { createRepositories } from './repository.ts'
import type { DiscoverUpstream } from './server-record.ts'
import { createSnapshots } from './snapshot.ts'
import { createStatus } from './status.ts'
import type { VerbDeps } from './verb-deps.ts'
import { createCreateLimitRule } from './verbs/create-limit-rule.ts'
import { createCreateVirtualServer } from './verbs/create-virtual-server.ts'
import { createDeleteLimitRule } from './verbs/delete-limit-rule.ts'
import { createDeleteServer } from './verbs/delete-server.ts'
import { createDeleteVirtualServer } from './verbs/delete-virtual-server.ts'
import { createGetLimitRule } from './verbs/get-limit-rule.ts'
import { createGetPolicy } from './verbs/get-policy.ts'
import { createGetServer } from './verbs/get-server.ts'
import { createGetService } from './verbs/get-service.ts'
import { createGetVirtualServer } from './verbs/get-virtual-server.ts'
import { createLimitUsage } from './verbs/limit-usage.ts'
import { createListLimitRules } from './verbs/list-limit-rules.ts'
import { createListServers } from './verbs/list-servers.ts'
import { createListServices } from './verbs/list-services.ts'
import { createListTools } from './verbs/list-tools.ts'
import { createListVirtualServers } from './verbs/list-virtual-servers.ts'
import { me } from './verbs/me.ts'
import { createPatchLimitRule } from './verbs/patch-limit-rule.ts'
import { createPatchServer } from './verbs/patch-server.ts'
import { createPatchVirtualServer } from './verbs/patch-virtual-server.ts'
import { createRefreshServer } from './verbs/refresh-server.ts'
import { createRegisterServer } from './verbs/register-server.ts'
import { createRepinVirtualServer } from './verbs/repin-virtual-server.ts'
import { createReplaceLimitRule } from './verbs/replace-limit-rule.ts'
import { createReplacePolicy } from './verbs/replace-policy.ts'
import { createReplaceServer } from './verbs/replace-server.ts'
import { createReplaceVirtualServer } from './verbs/replace-virtual-server.ts'
import { createServerHealth } from './verbs/server-health.ts'
import { createServiceHealth } from './verbs/service-health.ts'
import { createToggleServer } from './verbs/toggle-server.ts'
import { createToggleVirtualServer } from './verbs/toggle-virtual-server.ts'

export interface RegistryDeps {
  readonly d1: D1Database
  readonly sealer: Sealer
  readonly discover: DiscoverUpstream
  readonly privateHosts: PrivateHosts
  /** What names lead to; absent where no resolver is configured. */
  readonly hosts?: Pick<HostVerdicts, 'ask'>
  readonly events: Events
  /** What holds where a server says nothing. */
  readonly resilience: ResilienceDefaults
  readonly freshness: FreshnessConfig
  readonly bootstrapAdmin?: BootstrapAdmin | undefined
  readonly limiter: VerbDeps['limiter']
  /** What an endpoint's breaker says; undefined while it cannot be asked. */
  readonly breakerPhase: (
    ctx: CallContext,
    endpoint: EndpointId,
  ) => Promise<BreakerPhase | undefined>
}

/** The registry: its verbs, the snapshots that calls read, and what health checks need. */
export function createRegistry(options: RegistryDeps) {
  const repositories = createRepositories(options.d1)
  const headers = createHeaderVault(options.sealer)
  const { events, privateHosts, freshness, bootstrapAdmin } = options
  const source = {
    generation: repositories.snapshots.generation,
    policy: repositories.policies.load,
    limitRules: async (tenant: TenantId) =>
      (await repositories.limitRules.list(tenant)).map(({ rule }) => rule),
    endpoint: repositories.snapshots.endpoint,
    index: repositories.snapshots.index,
    offers: async (tenant: TenantId, wanted: WantedOffer) =>
      (await repositories.offers.offers(tenant, wanted)).offers,
  }
  const snapshots = createSnapshots({ source, headers, events, freshness, bootstrapAdmin })
  const deps: VerbDeps = {
    repositories,
    snapshots,
    headers,
    events,
    privateHosts,
    resilience: options.resilience,
    limiter: options.limiter,
    cursors: createCursors(options.sealer),
    discoverEndpoints: createDiscoverEndpoints(options.discover, options.hosts),
  }
  return {
    snapshots,
    probes: createProbes(deps),
    catalog: createCatalogReader(repositories.catalog),
    offers: repositories.offers,
    cursors: deps.cursors,
    status: createStatus({ countByHealth: repositories.health.countByHealth, events }),
    verbs: {
      registerServer: createRegisterServer(deps),
      listServers: createListServers(deps),
      getServer: createGetServer(deps),
      replaceServer: createReplaceServer(deps),
      patchServer: createPatchServer(deps),
      deleteServer: createDeleteServer(deps),
      toggleServer: createToggleServer(deps),
      refreshServer: createRefreshServer(deps),
      listTools: createListTools(deps),
      serverHealth: createServerHealth({ ...deps, breakerPhase: options.breakerPhase }),
      getPolicy: createGetPolicy(deps),
      replacePolicy: createReplacePolicy(deps),
      me,
      createVirtualServer: createCreateVirtualServer(deps),
      listVirtualServers: createListVirtualServers(deps),
      getVirtualServer: createGetVirtualServer(deps),
      replaceVirtualServer: createReplaceVirtualServer(deps),
      patchVirtualServer: createPatchVirtualServer(deps),
      deleteVirtualServer: createDeleteVirtualServer(deps),
      toggleVirtualServer: createToggleVirtualServer(deps),
      repinVirtualServer: createRepinVirtualServer(deps),
      createLimitRule: createCreateLimitRule(deps),
      listLimitRules: createListLimitRules(deps),
      limitUsage: createLimitUsage(deps),
      getLimitRule: createGetLimitRule(deps),
      replaceLimitRule: createReplaceLimitRule(deps),
      patchLimitRule: createPatchLimitRule(deps),
      deleteLimitRule: createDeleteLimitRule(deps),
      listServices: createListServices(deps),
      getService: createGetService(deps),
      serviceHealth: createServiceHealth(deps),
    },
  }
}

export type Registry = ReturnType<typeof createRegistry>
export type RegistryVerbs = Registry['verbs']
