import type { CallContext } from '../../../core/index.ts'
import type { Actor } from '../../../policy/index.ts'
import { legOf, type RestVerbDeps } from '../enter.ts'

/**
 * Closes a session: its id is unknown from now on, and the upstream's session is ended behind the
 * response. Needs no right on the server any more. Throws `session_not_found`.
 */
export function createDisconnect(deps: RestVerbDeps) {
  return async function disconnect(
    ctx: CallContext,
    { principal }: Actor,
    sessionId: string,
  ): Promise<void> {
    const session = await deps.sessions.open(principal, sessionId)
    await deps.sessions.end(session)
    ctx.waitUntil(deps.ask.end(ctx, principal, session.path, legOf(session)))
  }
}
