import { type CallContext, type Principal, toGatewayError } from '../core/index.ts'
import { type Limits, requireAdmission } from '../limits/index.ts'
import type { Snapshots } from '../registry/index.ts'
import { sessionRequired } from './relay-request.ts'
import type { LegacySession, Sessions } from './sessions.ts'
import type { Upstreams } from './upstream/send.ts'
import { errorReply } from './wire/reply.ts'

export interface EndSessionDeps {
  readonly limits: Limits
  readonly snapshots: Snapshots
  readonly sessions: Sessions
  readonly upstreams: Upstreams
}

/** DELETE of a legacy session: a tombstone for us, a courtesy to the upstream, 204. */
export function createEndSession(deps: EndSessionDeps) {
  return async function endSession(
    ctx: CallContext,
    principal: Principal,
    path: string,
    request: Request,
  ): Promise<Response> {
    ctx.facts.server = path
    ctx.facts.era = 'legacy'
    try {
      const id = request.headers.get('mcp-session-id')
      if (id === null) throw sessionRequired()
      const session = await deps.sessions.open(principal, path, id)
      await requireAdmission(ctx, deps.limits, principal)
      await deps.sessions.end(session)
      ctx.waitUntil(closeUpstream(ctx, principal, path, session))
      return new Response(null, { status: 204 })
    } catch (thrown) {
      const error = toGatewayError(thrown)
      if (error.code === 'internal') throw thrown
      ctx.facts.outcome = error.code
      return errorReply(error, 'null', ctx.requestId)
    }
  }

  /** Ours has ended already; that the upstream cannot be told changes nothing for the caller. */
  async function closeUpstream(
    ctx: CallContext,
    principal: Principal,
    path: string,
    session: LegacySession,
  ): Promise<void> {
    const snapshot = await deps.snapshots.tenant(ctx, principal.tenant)
    const server = await snapshot.server(ctx, path)
    if (server?.id !== session.server) return
    await deps.upstreams.close(server, session.endpoint, deps.sessions.currentUpstreamId(session))
  }
}
