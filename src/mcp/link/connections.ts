import type { OpenConnection } from './connection.ts'
import type { LinkTransport } from './link-request.ts'
import { openSocketConnection } from './socket-connection.ts'
import { openSseConnection } from './sse-connection.ts'

/** A transport for which a connection is held. */
export interface ConnectionKind {
  readonly open: OpenConnection
  /** Whether clients that declare no capabilities may use one connection together. */
  readonly isShareable: boolean
}

/** One file and one row each. */
export const CONNECTIONS: Readonly<Record<LinkTransport, ConnectionKind>> = {
  // A server of HTTP+SSE takes a connection for a session: it says of nothing whom it is for.
  sse: { open: openSseConnection, isShareable: false },
  websocket: { open: openSocketConnection, isShareable: true },
}
