import { GatewayError } from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import type { Inbound } from '../eras.ts'
import { type LegacySession, sessionNotFound } from './sessions.ts'

/**
 * A session belongs to one server, which must still be there; of its endpoint `sendInSession` sees
 * to. A server that gives sessions needs them; one that gives none is served without (DESIGN.md,
 * Decision 5).
 */
export function requireSession(
  server: ServerRecord,
  inbound: Inbound,
  session: LegacySession | undefined,
): void {
  if (session) {
    if (session.server !== server.id) throw sessionNotFound()
    return
  }
  const isHello = inbound.kind === 'request' && inbound.method === 'initialize'
  if (inbound.era === 'legacy' && !isHello && server.upstream.sessionful) throw sessionRequired()
}

/** For a legacy request without a session id to a server that gives them. */
export function sessionRequired(): GatewayError {
  return new GatewayError('session_required', 'This server needs the Mcp-Session-Id header.')
}
