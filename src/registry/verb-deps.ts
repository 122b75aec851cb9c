import type { PrivateHosts, TenantId } from '../core/index.ts'
import type { LimiterStub } from '../limits/index.ts'
import type { Events } from '../observability/index.ts'
import type { ResilienceDefaults } from '../resilience/index.ts'
import type { Cursors } from './cursor.ts'
import type { HeaderVault } from './custom-headers.ts'
import type { DiscoverEndpoints } from './discover-endpoints.ts'
import type { Repositories } from './repository.ts'
import type { Snapshots } from './snapshot.ts'

/** What the verbs of this room are made of; each takes the part it uses. */
export interface VerbDeps {
  readonly repositories: Repositories
  readonly snapshots: Snapshots
  readonly cursors: Cursors
  readonly headers: HeaderVault
  readonly discoverEndpoints: DiscoverEndpoints
  readonly privateHosts: PrivateHosts
  readonly events: Events
  readonly resilience: ResilienceDefaults
  /** The tenant's `LimiterObject`. */
  readonly limiter: (tenant: TenantId) => Pick<LimiterStub, 'usage'>
}
