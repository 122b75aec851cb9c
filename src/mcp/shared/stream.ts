import { type CallContext, type Principal, toGatewayError } from '../../core/index.ts'
import { notFoundServer } from '../../policy/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import type { Notices } from '../notices/index.ts'
import type { LegacyFeed } from '../notices/legacy-feed.ts'
import type { Followed } from '../notices/subscriptions.ts'
import { arriveAgain } from '../relay/listening.ts'
import { type EventIds, resumePoint } from '../session/event-ids.ts'
import { sessionRequired } from '../session/session-rules.ts'
import { UpstreamSession } from '../session/session-state.ts'
import { type Sessions, type SharedSession, sessionNotFound } from '../session/sessions.ts'
import { afterLife } from '../wire/after-life.ts'
import { EVENT_STREAM_HEADERS } from '../wire/event-headers.ts'
import { KEEP_ALIVE_MS } from '../wire/keep-alive.ts'
import { createEventMerger } from '../wire/merge-events.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import { createFollowers } from './followers.ts'
import { createOpenPart, type OpenPartDeps } from './open-part.ts'
import type { SharedSessions } from './sessions.ts'

/** The stream that a legacy client opens by GET at a shared endpoint. */
export interface SharedStreamRequest {
  /** Of the endpoint; the caller was let in there. */
  readonly path: string
  readonly principal: Principal
  readonly headers: Headers
  readonly session?: SharedSession
}

export interface SharedStreamDeps extends OpenPartDeps {
  readonly snapshots: Snapshots
  readonly eventIds: EventIds
  readonly sessions: Pick<Sessions, 'noteEnded'>
  readonly sharedSessions: Pick<SharedSessions, 'leg' | 'opened' | 'watch'>
  readonly notices: Pick<Notices, 'feed' | 'subscriptions'>
  readonly bounds: StreamBounds
}

/**
 * One stream made of those of every upstream session of the client's session; a session that is
 * opened later joins it. Changes of lists are told for all servers behind the endpoint, spoken to or
 * not, and those of resources at servers without such sessions. Ends when its client may be here no
 * longer. Throws `session_required`, `session_not_found`, `unknown_event`, `rate_limited`.
 */
export function createSharedStream(deps: SharedStreamDeps) {
  return async function openShared(
    ctx: CallContext,
    { path, principal, headers, session }: SharedStreamRequest,
  ): Promise<Response> {
    if (!session) throw sessionRequired()
    const resume = await resumePoint(deps.eventIds, principal, path, headers, session)
    const socket = await deps.sharedSessions.watch(session)
    if (!socket) {
      deps.sessions.noteEnded(session)
      throw sessionNotFound()
    }
    const release = ctx.holdEvent()
    let feed: LegacyFeed | undefined
    let followed: Followed | undefined
    let latest: readonly string[] | undefined
    const close = (): void => ctx.waitUntil(merger.close())
    const subscribe = (uris: readonly string[]): void => {
      latest = uris
      if (feed) ctx.waitUntil(feed.subscribe(uris))
    }
    const merger = createEventMerger((end) => {
      clearInterval(timer)
      stopLife()
      followers.stop()
      socket.close()
      feed?.stop()
      followed?.stop()
      if (end !== 'closed') ctx.facts.outcome = end
      release()
    }, deps.bounds.stallMs)
    const stopLife = afterLife(deps.bounds.maxMs, close)

    async function arrive() {
      try {
        const { resolved, ...arrival } = await arriveAgain(ctx, deps.snapshots, principal, path)
        if (resolved.kind !== 'shared') throw notFoundServer(path)
        return { ...arrival, resolved, endpoint: resolved.endpoint }
      } catch (thrown) {
        if (!merger.isOver()) ctx.facts.outcome = toGatewayError(thrown).code
        ctx.waitUntil(merger.close())
        throw thrown
      }
    }
    const isStillHere = () =>
      arrive().then(
        () => true,
        () => false,
      )
    const showLife = async () => {
      if (await isStillHere()) await merger.keepAlive()
    }

    const timer = setInterval(() => ctx.waitUntil(showLife()), KEEP_ALIVE_MS)
    const whole = { arrive, path, session, ...(resume ? { resume } : {}) }
    const followers = createFollowers({
      clock: ctx.clock,
      waitUntil: (work) => ctx.waitUntil(work),
      merger,
      open: createOpenPart(deps, ctx, whole),
    })
    socket.addEventListener('message', ({ data }) => followers.add(announced(data)))
    socket.addEventListener('close', () => ctx.waitUntil(merger.close()))
    try {
      followed = await deps.notices.subscriptions.follow(session, subscribe, close)
      feed = await deps.notices.feed(ctx, {
        ...{ principal, path, arrive },
        uris: followed?.uris ?? [],
        onEnd: close,
      })
      if (latest) subscribe(latest)
      ctx.waitUntil(merger.add(feed.readable))
      for (const upstream of await deps.sharedSessions.opened(session)) followers.add(upstream)
    } catch (thrown) {
      ctx.waitUntil(merger.close())
      throw thrown
    }
    return new Response(merger.readable, {
      headers: EVENT_STREAM_HEADERS,
    })
  }
}

/** What the session's object tells of an upstream session that it has opened. */
function announced(data: unknown): UpstreamSession {
  return UpstreamSession.parse(JSON.parse(String(data)))
}
