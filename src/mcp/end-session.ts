import type { CallContext, Principal } from '../core/index.ts'
import { type Limits, requireAdmission } from '../limits/index.ts'
import type { Snapshots } from '../registry/index.ts'
import type { Refuse } from './refusal.ts'
import type { CloseUpstreams, Closing } from './session/close-upstreams.ts'
import { sessionRequired } from './session/session-rules.ts'
import type { UpstreamSession } from './session/session-state.ts'
import type { ClientSession, Sessions } from './session/sessions.ts'

export interface EndSessionDeps {
  readonly snapshots: Pick<Snapshots, 'tenant'>
  readonly limits: Limits
  readonly sessions: Sessions
  readonly closeUpstreams: CloseUpstreams
  readonly refuse: Refuse
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
      const { limits } = await deps.snapshots.tenant(ctx, principal.tenant)
      await requireAdmission(ctx, deps.limits, principal, limits)
      const known = await deps.sessions.end(session)
      // Ours has ended already; that an upstream cannot be told changes nothing for the caller.
      ctx.waitUntil(deps.closeUpstreams(ctx, principal.tenant, closings(path, session, known)))
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
    const { endpoint, upstreamId } = deps.sessions.placeOf(session)
    return [{ path, server: session.server, endpoint, upstreamId }]
  }
}
