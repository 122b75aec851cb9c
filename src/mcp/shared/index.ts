import type { CallContext, Clock, Sealer } from '../../core/index.ts'
import type { Limits } from '../../limits/index.ts'
import type { Events } from '../../observability/index.ts'
import type { Actor } from '../../policy/index.ts'
import type { CatalogReader, Snapshots, TenantSnapshot } from '../../registry/index.ts'
import type { ClientLines } from '../bridge/client-lines.ts'
import type { LiveCatalog } from '../catalog/live-catalog.ts'
import type { Inbound } from '../eras.ts'
import type { Notices } from '../notices/index.ts'
import type { OwnTools } from '../own-tools/index.ts'
import type { Outgoing } from '../relay/outgoing.ts'
import type { SendOneWay } from '../relay/relay-message.ts'
import type { StreamRequest } from '../relay/relay-stream.ts'
import type { SettleEra } from '../relay/settle-era.ts'
import type { Router } from '../routing/router.ts'
import type { EventIds } from '../session/event-ids.ts'
import type { InFlight } from '../session/in-flight.ts'
import type { Sessions, SharedSession } from '../session/sessions.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import { createCursors } from './cursors.ts'
import type { SharedEndpoint } from './endpoint.ts'
import { createFreshLineup } from './fresh-lineup.ts'
import { createHello } from './hello-verbs.ts'
import { createListAllTools, type ToolsPage } from './list-all.ts'
import { createLists } from './lists.ts'
import { createSharedOneWay } from './one-way.ts'
import { createPages } from './pages.ts'
import { createSharedRelay } from './relay-shared.ts'
import { createRouteRequest } from './route-request.ts'
import { createSharedSessions, type SharedSessionsDeps } from './sessions.ts'
import { createSharedStream, type SharedStreamRequest } from './stream.ts'
import { createToServer } from './to-server.ts'

export { isBuiltIn, resolveEndpoint } from './resolve.ts'

/** A message at a shared endpoint, and what is known of its sender. */
export interface SharedMessage {
  readonly endpoint: SharedEndpoint
  readonly actor: Actor
  readonly snapshot: TenantSnapshot
  readonly inbound: Inbound
  readonly headers: Headers
  readonly session?: SharedSession
}

/** Endpoints at which several servers meet: `/mcp`, virtual servers, `/mcpgw/mcp`. */
export interface Shared {
  /** Throws what refuses the message. */
  serve(ctx: CallContext, message: SharedMessage): Promise<Response>
  /** The stream that a legacy client opens by GET. Throws what refuses it. */
  stream(ctx: CallContext, request: SharedStreamRequest): Promise<Response>
  /** The tools of `/mcp`, for readers that speak no MCP. */
  listAllTools(ctx: CallContext, actor: Actor, cursor?: string): Promise<ToolsPage>
}

export interface SharedDeps {
  readonly snapshots: Snapshots
  readonly catalog: CatalogReader
  readonly live: LiveCatalog
  readonly sealer: Sealer
  readonly clock: Clock
  readonly events: Events
  readonly outbound: UpstreamOutbound
  readonly ownTools: OwnTools
  readonly router: Router
  readonly sessions: Sessions
  readonly inFlight: InFlight
  readonly settleEra: SettleEra
  readonly lines: ClientLines
  readonly limits: Pick<Limits, 'admitTarget'>
  readonly notices: Notices
  readonly object: SharedSessionsDeps['object']
  readonly upstreams: SharedSessionsDeps['upstreams']
  readonly relayRequest: (ctx: CallContext, outgoing: Outgoing) => Promise<Response>
  readonly sendOneWay: SendOneWay
  readonly relayStream: (ctx: CallContext, wanted: StreamRequest) => Promise<Response>
  readonly eventIds: EventIds
  readonly bounds: StreamBounds
}

/** @see Shared */
export function createShared(deps: SharedDeps): Shared {
  const list = createLists({
    ...deps,
    freshLineup: createFreshLineup(deps),
    pages: createPages(deps),
    cursors: createCursors(deps),
  })
  const sharedSessions = createSharedSessions(deps)
  const toServer = createToServer({ ...deps, sharedSessions })
  const relayRequest = createSharedRelay({
    ...deps,
    list,
    hello: createHello(deps),
    sharedSessions,
    toServer,
    routeRequest: createRouteRequest({ ...deps, toServer }),
  })
  const relayOneWay = createSharedOneWay({ ...deps, sharedSessions })
  return {
    async serve(ctx, { inbound, ...message }) {
      return inbound.kind === 'request'
        ? relayRequest(ctx, { ...message, inbound })
        : relayOneWay(ctx, { ...message, inbound })
    },
    stream: createSharedStream({ ...deps, sharedSessions }),
    listAllTools: createListAllTools(list),
  }
}
