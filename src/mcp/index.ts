/** Rank 5: the Model Context Protocol, on both sides. */
export { createInFlight } from './in-flight.ts'
export { createRelay, type Relay, type RelayDeps } from './relay.ts'
export { createMcpRoutes, type McpRoutesDeps } from './routes.ts'
export { createSessions, type SessionState } from './sessions.ts'
export { createDiscover } from './upstream/discover.ts'
export { createProbe, type ProbeOutcome, type ProbeUpstream } from './upstream/probe.ts'
export { createUpstreams } from './upstream/send.ts'
