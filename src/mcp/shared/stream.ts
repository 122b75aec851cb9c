import type { CallContext } from '../../core/index.ts'
import type { Events } from '../../observability/index.ts'
import type { Actor } from '../../policy/index.ts'
import type { TenantSnapshot } from '../../registry/index.ts'
import { sessionRequired } from '../relay-request.ts'
import type { StreamRequest } from '../relay-stream.ts'
import { type EventIds, resumePoint } from '../session/event-ids.ts'
import { UpstreamSession } from '../session/session-state.ts'
import { type Sessions, type SharedSession, sessionNotFound } from '../session/sessions.ts'
import { createEventMerger } from '../wire/merge-events.ts'
import type { SharedEndpoint } from './endpoint.ts'
import { createFollowers } from './followers.ts'
import type { SharedSessions } from './sessions.ts'

/** The stream that a legacy client opens by GET at a shared endpoint. */
export interface SharedStreamRequest {
  readonly endpoint: SharedEndpoint
  readonly actor: Actor
  readonly snapshot: TenantSnapshot
  readonly headers: Headers
  readonly session?: SharedSession
}

export interface SharedStreamDeps {
  readonly events: Events
  readonly eventIds: EventIds
  readonly sessions: Sessions
  readonly sharedSessions: SharedSessions
  readonly relayStream: (ctx: CallContext, wanted: StreamRequest) => Promise<Response>
}

/** Below the time after which proxies drop a silent connection. */
const KEEP_ALIVE_MS = 25_000

/**
 * One stream made of those of every upstream session of the client's session; a session that is
 * opened later joins it. Throws `session_required`, `session_not_found`, `unknown_event`.
 */
export function createSharedStream(deps: SharedStreamDeps) {
  return async function openShared(
    ctx: CallContext,
    request: SharedStreamRequest,
  ): Promise<Response> {
    const { actor, endpoint, headers, session } = request
    if (!session) throw sessionRequired()
    const { principal } = actor
    const resume = await resumePoint(deps.eventIds, principal, endpoint.path, headers, session)
    const socket = await deps.sharedSessions.watch(session)
    if (!socket) {
      deps.sessions.noteEnded(session)
      throw sessionNotFound()
    }
    const release = ctx.holdEvent()
    const merger = createEventMerger(() => {
      clearInterval(timer)
      socket.close()
      release()
    })
    const timer = setInterval(() => ctx.waitUntil(merger.write(': keep-alive\n\n')), KEEP_ALIVE_MS)
    const whole = { ...request, session, ...(resume ? { resume } : {}) }
    const followers = createFollowers(deps, ctx, whole, merger)
    socket.addEventListener('message', ({ data }) => followers.add(announced(data)))
    socket.addEventListener('close', () => ctx.waitUntil(merger.close()))
    for (const upstream of await deps.sharedSessions.opened(session)) followers.add(upstream)
    return new Response(merger.readable, {
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      },
    })
  }
}

/** What the session's object tells of an upstream session that it has opened. */
function announced(data: unknown): UpstreamSession {
  return UpstreamSession.parse(JSON.parse(String(data)))
}
