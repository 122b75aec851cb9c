import type { CallContext } from '../../../core/index.ts'
import type { Actor } from '../../../policy/index.ts'
import { enter, type RestVerbDeps, requireMethod } from '../enter.ts'
import type { SessionOut } from '../schemas.ts'
import { sessionOut } from '../views.ts'

/**
 * The session, and what the registry knows of its server; the server is not asked. Throws
 * `session_not_found`, `insufficient_scope`.
 */
export function createShowSession(deps: RestVerbDeps) {
  return async function showSession(
    ctx: CallContext,
    actor: Actor,
    sessionId: string,
  ): Promise<SessionOut> {
    const { session, server } = await enter(ctx, deps, actor, sessionId)
    requireMethod(actor, server, 'initialize')
    return sessionOut(sessionId, session, server.upstream)
  }
}
