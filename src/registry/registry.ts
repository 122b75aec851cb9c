import type { CallContext, EndpointId, PrivateHosts, Sealer } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import type { BootstrapAdmin } from '../policy/index.ts'
import type { BreakerPhase } from '../resilience/index.ts'
import { createCatalogReader } from './catalog-reader.ts'
import { createCursors } from './cursor.ts'
import { createHeaderVault } from './custom-headers.ts'
import { createDiscoverEndpoints } from './discover-endpoints.ts'
import type { FreshnessConfig } from './freshness.ts'
import { createProbes } from './probes.ts'
import { createRepositories } from './repository.ts'
import type { DiscoverUpstream } from './server-record.ts'
import { createSnapshots } from './snapshot.ts'
import { createStatus } from './status.ts'
import type { VerbDeps } from './verb-deps.ts'
import { createCreateVirtualServer } from './verbs/create-virtual-server.ts'
import { createDeleteServer } from './verbs/delete-server.ts'
import { createDeleteVirtualServer } from './verbs/delete-virtual-server.ts'
import { createGetPolicy } from './verbs/get-policy.ts'
import { createGetServer } from './verbs/get-server.ts'
import { createGetService } from './verbs/get-service.ts'
import { createGetVirtualServer } from './verbs/get-virtual-server.ts'
import { createListServers } from './verbs/list-servers.ts'
import { createListServices } from './verbs/list-services.ts'
import { createListTools } from './verbs/list-tools.ts'
import { createListVirtualServers } from './verbs/list-virtual-servers.ts'
import { me } from './verbs/me.ts'
import { createPatchServer } from './verbs/patch-server.ts'
import { createPatchVirtualServer } from './verbs/patch-virtual-server.ts'
import { createRefreshServer } from './verbs/refresh-server.ts'
import { createRegisterServer } from './verbs/register-server.ts'
import { createRepinVirtualServer } from './verbs/repin-virtual-server.ts'
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
  readonly events: Events
  readonly freshness: FreshnessConfig
  readonly bootstrapAdmin?: BootstrapAdmin | undefined
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
    endpoint: repositories.snapshots.endpoint,
    index: repositories.snapshots.index,
  }
  const snapshots = createSnapshots({ source, headers, events, freshness, bootstrapAdmin })
  const deps: VerbDeps = {
    repositories,
    snapshots,
    headers,
    events,
    privateHosts,
    cursors: createCursors(options.sealer),
    discoverEndpoints: createDiscoverEndpoints(options.discover),
  }
  return {
    snapshots,
    probes: createProbes(deps),
    catalog: createCatalogReader(repositories.catalog),
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
      listServices: createListServices(deps),
      getService: createGetService(deps),
      serviceHealth: createServiceHealth(deps),
    },
  }
}

export type Registry = ReturnType<typeof createRegistry>
export type RegistryVerbs = Registry['verbs']
