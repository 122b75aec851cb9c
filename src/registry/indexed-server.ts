import type { EndpointId, ServerId, ServerPath, TenantId } from '../core/index.ts'
import type { Visibility } from '../policy/index.ts'
import type { DiscoveredCounts } from './catalog.ts'
import type { Health, UpstreamFacts } from './server-record.ts'

/** What a list over many servers knows of each of them. */
export interface IndexedServer {
  readonly id: ServerId
  readonly tenant: TenantId
  readonly path: ServerPath
  readonly name: string
  /** `principal.key` of the owner. */
  readonly owner: string
  readonly visibility: Visibility
  readonly allowedGroups: readonly string[]
  readonly health: Health
  readonly upstream: UpstreamFacts
  /** How many of each kind are served. */
  readonly discovered: DiscoveredCounts
  /** Null when nothing was ever stored of it. */
  readonly catalogHash: string | null
  /** When it was last found to offer this, as of the snapshot; epoch ms. */
  readonly discoveredAt: number | null
  /** In the order of their positions. */
  readonly endpointIds: readonly EndpointId[]
}
