import { z } from 'zod'
import {
  GatewayError,
  type Principal,
  type Sealer,
  ServerId,
  ServerPath,
} from '../../core/index.ts'
import { SESSION_TTL_MS, type SessionState } from '../session/session-state.ts'

/** A REST session: all of it travels sealed in its id. */
export const RestSession = z.strictObject({
  /** Names the SessionObject that remembers its end. */
  key: z.uuid(),
  path: ServerPath,
  server: ServerId,
  era: z.enum(['modern', 'legacy']),
  /** Absent for a legacy server of a revision that is not announced. */
  version: z.string().optional(),
  /** The relay's sealed session id, for a legacy server that gives sessions. */
  inner: z.string().optional(),
  /** Epoch ms. */
  connectedAt: z.number().int(),
})
export type RestSession = z.infer<typeof RestSession>

export interface RestSessions {
  /** The `session_id` for the client. */
  seal(principal: Principal, session: RestSession): Promise<string>
  /** Throws `session_not_found` alike for an id that is unknown, foreign, expired or closed. */
  open(principal: Principal, sessionId: string): Promise<RestSession>
  /** From now on, everywhere, its id is unknown. Idempotent. */
  end(session: RestSession): Promise<void>
}

/** The object named by a session's key, as far as this room needs it. */
export type RestSessionObject = Pick<SessionState, 'end' | 'isEnded'>

/** When the session's id expires, epoch ms. */
export function expiresAt({ connectedAt }: RestSession): number {
  return connectedAt + SESSION_TTL_MS
}

/** @see RestSessions */
export function createRestSessions(deps: {
  readonly sealer: Sealer
  readonly object: (name: string) => RestSessionObject
}): RestSessions {
  return {
    seal: (principal, session) =>
      deps.sealer.seal('session', boundTo(principal), session, expiresAt(session)),

    async open(principal, sessionId) {
      const opened = await deps.sealer.open('session', boundTo(principal), sessionId)
      const session = RestSession.safeParse(opened)
      if (!session.success || (await deps.object(session.data.key).isEnded())) {
        throw restSessionNotFound()
      }
      return session.data
    },

    async end(session) {
      await deps.object(session.key).end(expiresAt(session))
    },
  }
}

/** The same words for unknown, foreign, expired and closed: nothing leaks about which. */
export function restSessionNotFound(): GatewayError {
  return new GatewayError('session_not_found', 'The session is unknown, expired or was closed.', {
    fix: 'Connect again: POST /api/v1/mcp/servers/connect.',
  })
}

/** The last word is no server's path, so no MCP session id opens here, nor the other way round. */
function boundTo({ tenant, key }: Principal): string[] {
  return [tenant, key, '/rest']
}
