/** Rank 5: the Model Context Protocol, on both sides. */
export type { BridgeStub } from './bridge/index.ts'
export type { CatalogStub } from './catalog/live-catalog.ts'
export { probeRecord } from './catalog/probe-record.ts'
export { createMcpFront } from './front.ts'
export type { LinkStub } from './link/link-request.ts'
export { createMcp } from './mcp.ts'
export type { EventsStub, WatchStub } from './notices/index.ts'
export {
  allToolsRoutes,
  describeAllTools,
  restSessionRoutes,
} from './rest/routes.ts'
export { createMcpRoutes, endpointUrl } from './routes.ts'
export { discoveryRoutes } from './routing/routes.ts'
export type { SessionStub } from './session/session-state.ts'
export { createSseRoutes, sseUrl } from './sse/routes.ts'
export { createDiscover } from './upstream/discover.ts'
export { createProbe, type ProbeOutcome, type ProbeUpstream } from './upstream/probe.ts'
export { createUpstreamOutbound } from './upstream/transports.ts'
export type { StreamBounds } from './wire/stream-bounds.ts'
