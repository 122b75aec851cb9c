import type { Clock, EndpointId, Sealer } from '../core/index.ts'
import type { BodyBounds } from '../http/index.ts'
import type { Limits } from '../limits/index.ts'
import type { Events } from '../observability/index.ts'
import type { Registry } from '../registry/index.ts'
import type { Breakers, Load } from '../resilience/index.ts'
import { createAsk, permitSpent } from './ask/ask.ts'
import { type BridgeStub, createBridge, createServeBridged } from './bridge/index.ts'
import { type CatalogStub, createLiveCatalog } from './catalog/live-catalog.ts'
import { createEndSession } from './end-session.ts'
import { createGet } from './get.ts'
import type { HttpVerb } from './http-verb.ts'
import { createNotices, type EventsStub, PLACE_TAKEN, type Places } from './notices/index.ts'
import { createOwnTools, createProxyRequest } from './own-tools/index.ts'
import { createPost } from './post.ts'
import { createRefusal } from './refusal.ts'
import { createClientStream } from './relay/client-stream.ts'
import { createOpenCalls } from './relay/open-calls.ts'
import { createOneWayRelay, createOneWaySender } from './relay/relay-message.ts'
import { createRequestRelay } from './relay/relay-request.ts'
import { createStreamRelay } from './relay/relay-stream.ts'
import { createRequestStates } from './relay/request-states.ts'
import { createSettleEra } from './relay/settle-era.ts'
import { createTaskIds } from './relay/task-ids.ts'
import { createRelay } from './relay.ts'
import { createRestVerbs } from './rest/verbs.ts'
import { createFindOffers } from './routing/find-offers.ts'
import { createFindServer } from './routing/find-server.ts'
import { createRouter } from './routing/router.ts'
import { createCloseUpstreams } from './session/close-upstreams.ts'
import { createEventIds } from './session/event-ids.ts'
import { createInFlight } from './session/in-flight.ts'
import { createOpeningStreams } from './session/opening-streams.ts'
import type { SessionStub } from './session/session-state.ts'
import { createSessions } from './session/sessions.ts'
import { createShared } from './shared/index.ts'
import { createSse } from './sse/sse.ts'
import { createRecheckTransport } from './upstream/recheck-transport.ts'
import { createUpstreams } from './upstream/send.ts'
import type { SendDefaults } from './upstream/send-policy.ts'
import type { UpstreamOutbound } from './upstream/transports.ts'
import type { StreamBounds } from './wire/stream-bounds.ts'

/** The HTTP methods of an MCP endpoint (MCP 2025-11-25 and 2026-07-28, Streamable HTTP). */
export interface StreamableHttp {
  /** One message, or a batch where that is allowed. */
  post: HttpVerb
  /** The stream of messages that a legacy client opens. */
  get: HttpVerb
  /** Ends a legacy session. */
  delete: HttpVerb
}

export interface McpDeps {
  readonly registry: Registry
  readonly limits: Limits
  readonly events: Events
  readonly breakers: Breakers
  readonly load: Load
  readonly sending: SendDefaults
  readonly outbound: UpstreamOutbound
  readonly sealer: Sealer
  readonly clock: Clock
  readonly body: BodyBounds
  readonly bounds: StreamBounds
  /** Open at once, on one isolate. */
  readonly maxCallsOfPrincipal: number
  readonly sessionObject: (name: string) => SessionStub
  readonly bridgeObject: (name: string) => BridgeStub
  readonly catalogObject: (name: string) => CatalogStub
  readonly eventsObject: (tenant: string) => EventsStub
  /** Has an endpoint asked from the beginning what it speaks. Returns at once. */
  readonly probeSoon: (endpoint: EndpointId) => Promise<void>
  /** The `WWW-Authenticate` for a 403 on `/{path}/mcp`. */
  readonly challenge: (path: string, scope: string) => string
  /** The same on `/{path}/sse`. */
  readonly sseChallenge: (path: string, scope: string) => string
}

/** The MCP side of the gateway: its endpoints, and what other surfaces ask of it. */
export function createMcp(deps: McpDeps) {
  const { registry, events, limits, clock, sealer, outbound, sessionObject: object } = deps
  const { bounds } = deps
  const { snapshots, catalog, verbs } = registry
  const recheckTransport = createRecheckTransport(deps)
  const upstreams = createUpstreams({ ...deps, recheckTransport })
  const closeUpstreams = createCloseUpstreams({ snapshots, upstreams, events })
  const inFlight = createInFlight({ clock, object })
  const sessions = createSessions({ sealer, clock, events, object, inFlight })
  const eventIds = createEventIds({ sealer, clock })
  const requestStates = createRequestStates({
    ...{ sealer, clock },
    // What ends once for all isolates is spent once.
    spend: async (key, until) => (await object(`request-state/${key}`).end(until)) !== undefined,
  })
  const taskIds = createTaskIds({ sealer, clock })
  const bridge = createBridge({ ...deps, upstreams })
  const relayRequest = createRequestRelay({
    ...{ upstreams, sessions, inFlight, eventIds, requestStates, taskIds, bridge, bounds, events },
    openCalls: createOpenCalls(deps.maxCallsOfPrincipal),
  })
  const sendOneWay = createOneWaySender({ upstreams, sessions })
  const relayOneWay = createOneWayRelay({ inFlight, sendOneWay })
  const relayStream = createStreamRelay({ upstreams, sessions, inFlight, eventIds, bounds })
  // The gateway's own tools ask through the very endpoints that offer them.
  const ask = createAsk({ endpoint: () => admitted })
  const router = createRouter(deps)
  const ownTools = createOwnTools({
    verbs,
    proxyRequest: createProxyRequest({ ask, snapshots }),
    findServer: createFindServer({ snapshots, router }),
  })
  const settleEra = createSettleEra({ events, outbound, upstreams, probes: registry.probes })
  const { catalogObject, eventsObject } = deps
  const notices = createNotices({ snapshots, eventsObject, clock, object, taskIds, bounds, events })
  const bridged = createServeBridged({
    ...{ sessions, inFlight, object, relayRequest, notices },
    lines: bridge.lines,
  })
  const shared = createShared({
    ...{ snapshots, catalog, sealer, clock, events, outbound, ownTools, router, limits },
    ...{ sessions, inFlight, notices, bounds, lines: bridge.lines },
    ...{ object, upstreams, relayRequest, sendOneWay, relayStream, eventIds },
    settleEra,
    live: createLiveCatalog({ events, object: catalogObject }),
  })
  const refuse = createRefusal(deps)
  const opening = createOpeningStreams()

  const endpointWith = (ofLimits: Limits, places: Places): StreamableHttp => {
    const common = { snapshots, sessions, limits: ofLimits }
    const clientStream = createClientStream({ snapshots, eventIds, places, relayStream })
    const relays = { relayRequest, relayOneWay, clientStream, bridged }
    const relay = createRelay({ ...common, ...relays, shared, notices, settleEra, opening })
    return {
      post: createPost({ relay, refuse, sessions, body: deps.body }),
      get: createGet({ relay, refuse }),
      delete: createEndSession({ ...common, closeUpstreams, refuse }),
    }
  }
  const endpoint = endpointWith(limits, notices.places)
  // Who asks through us has spent its permit, and what listens through us has its place: one request
  // of REST or of an own tool costs one, and so does a stream of HTTP+SSE.
  const admitted = endpointWith(permitSpent(limits), PLACE_TAKEN)
  const sse = createSse({
    ...{ snapshots, limits, events, sealer, clock, object, bounds, places: notices.places },
    // Who opens a stream or posts to one spends the permits.
    endpoint: admitted,
    body: deps.body,
    challenge: deps.sseChallenge,
  })
  return {
    endpoint,
    sse,
    listAllTools: shared.listAllTools,
    findOffers: createFindOffers({ ...registry, router }),
    restVerbs: createRestVerbs({ ask, snapshots, sealer, object }),
    /** For the objects that keep sessions. */
    closeUpstreams,
    /** For the objects that watch servers. */
    watching: { snapshots, upstreams, outbound, catalogObject, eventsObject },
  }
}

export type Mcp = ReturnType<typeof createMcp>
