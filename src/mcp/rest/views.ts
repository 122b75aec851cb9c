import type { SessionOut } from './schemas.ts'
import { expiresAt, type RestSession } from './sessions.ts'

/** What a server said of itself. */
interface Facts {
  readonly serverInfo?: Readonly<Record<string, unknown>> | undefined
  readonly capabilities?: Readonly<Record<string, unknown>> | undefined
  readonly instructions?: string | undefined
}

/** A session as its owner sees it. */
export function sessionOut(sessionId: string, session: RestSession, facts: Facts): SessionOut {
  return {
    session_id: sessionId,
    server_name: session.path,
    protocol_version: session.version ?? null,
    server_info: { ...facts.serverInfo },
    capabilities: { ...facts.capabilities },
    ...(facts.instructions === undefined ? {} : { instructions: facts.instructions }),
    connected_at: new Date(session.connectedAt).toISOString(),
    expires_at: new Date(expiresAt(session)).toISOString(),
  }
}
