/** Rank 3: what is registered, and what calls need to know of it. */
export { CATALOG_LISTS, type CatalogKind, type CatalogList } from './catalog-kinds.ts'
export type { CatalogHead, CatalogReader } from './catalog-reader.ts'
export type { Cursors } from './cursor.ts'
export type { ProbeRecord } from './health-repository.ts'
export type { IndexedServer } from './indexed-server.ts'
export type { Offer, OfferKind, WantedOffer } from './offers/offer.ts'
export type { Probes, ProbeTarget } from './probes.ts'
export { createRegistry, type Registry, type RegistryVerbs } from './registry.ts'
export { registryRoutes } from './routes.ts'
export { ServerInput } from './schemas.ts'
export type {
  DiscoverUpstream,
  Discovery,
  Health,
  ServerRecord,
  UpstreamAddress,
  UpstreamFacts,
} from './server-record.ts'
export { isLegacyTried } from './server-record.ts'
export type { Snapshots } from './snapshot.ts'
export type { EndpointRecord, TenantSnapshot } from './tenant-snapshot.ts'
export { httpUrlOf, Transport, transportsToTry } from './transports.ts'
export { fleetsOf } from './virtual/fleet.ts'
export { type FleetItem, isFleetItem } from './virtual/fleet-member.ts'
export type { PinnedItem, VirtualItem, VirtualServerRecord } from './virtual/virtual-record.ts'
