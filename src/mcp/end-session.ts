import type { CallContext, Principal } from '../core/index.ts'
import { type Limits, requireAdmission } from '../limits/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import type { Snapshots } from '../registry/index.ts'
import type { Refuse } from './refusal.ts'
import { sessionRequired } from './session/session-rules.ts'
import type { UpstreamSession } from './session/session-state.ts'
import type { ClientSession, Sessions } from './session/sessions.ts'
import { tellAll } from './upstream/courtesy.ts'
import type { Upstreams } from './upstream/send.ts'

export interface EndSessionDeps {
  readonly events: Events
  readonly limits: Limits
  readonly snapshots: Snapshots
  readonly sessions: Sessions
  readonly upstreams: Upstreams
  readonly refuse: Refuse
}

/** `path`: where the server was when the session was opened. */
type Closing = Pick<UpstreamSession, 'server' | 'endpoint' | 'upstreamId'> & {
  readonly path: string
}

/** DELETE of a legacy session: a tombstone for us, a courtesy to its upstreams, 204. */
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
      const session = await deps.sessions.open(ctx, principal, path, id)
      await requireAdmission(ctx, deps.limits, principal)
      const known = await deps.sessions.end(session)
      ctx.waitUntil(closeUpstreams(ctx, principal, closings(path, session, known)))
      return new Response(null, { status: 204 })
    } catch (thrown) {
      return deps.refuse(ctx, { path }, thrown)
    }
  }

  /** What its object knows is newer than what a sealed session id says. */
  function closings(
    path: string,
    session: ClientSession,
    known: readonly UpstreamSession[],
  ): readonly Closing[] {
    if ('kind' in session || known.length > 0) return known
    const { server, endpoint } = session
    return [{ path, server, endpoint, upstreamId: deps.sessions.currentUpstreamId(session) }]
  }

  /** Ours has ended already; that an upstream cannot be told changes nothing for the caller. */
  async function closeUpstreams(
    ctx: CallContext,
    principal: Principal,
    sessions: readonly Closing[],
  ): Promise<void> {
    const snapshot = await deps.snapshots.tenant(ctx, principal.tenant)
    await tellAll(
      sessions,
      async ({ path, server: id, endpoint, upstreamId }) => {
        const server = await snapshot.server(ctx, path)
        // The path may have become that of another server.
        if (server?.id === id) await deps.upstreams.close(server, endpoint, upstreamId)
      },
      (thrown) => emitFault(deps.events, ctx, 'session.end', thrown),
    )
  }
}
