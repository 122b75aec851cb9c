/** Rank 3: what is registered, and what calls need to know of it. */
export type { FreshnessConfig } from './freshness.ts'
export type { HealthFlip, ProbeRecord } from './health-repository.ts'
export type { Probes, ProbeTarget } from './probes.ts'
export { createRegistry, type Registry, type RegistryDeps, type RegistryVerbs } from './registry.ts'
export { type RegistryRoutesDeps, registryRoutes } from './routes.ts'
export { ServerInput, ServerPatch } from './schemas.ts'
export type {
  DiscoverUpstream,
  Discovery,
  HeaderParam,
  Health,
  ServerRecord,
  ToolFacts,
  UpstreamAddress,
  UpstreamFacts,
} from './server-record.ts'
export type { Snapshots } from './snapshot.ts'
export type { TenantSnapshot } from './tenant-snapshot.ts'
export type { HealthOut, MeOut, ServerOut, ServerPage, ServerSummary, ToolPage } from './views.ts'
