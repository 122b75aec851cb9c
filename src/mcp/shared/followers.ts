import { type CallContext, toGatewayError } from '../../core/index.ts'
import { emitFault } from '../../observability/index.ts'
import { decide } from '../../policy/index.ts'
import type { ResumePoint } from '../session/event-ids.ts'
import type { UpstreamSession } from '../session/session-state.ts'
import type { SharedSession } from '../session/sessions.ts'
import type { EventMerger } from '../wire/merge-events.ts'
import type { SharedStreamDeps, SharedStreamRequest } from './stream.ts'
import { namesOf } from './translation.ts'

/** A request whose session was found, and where its client left a stream before. */
export interface FollowRequest extends SharedStreamRequest {
  readonly session: SharedSession
  readonly resume?: ResumePoint
}

/** Before a server's stream that ended is opened again. */
const REOPEN_MS = 5_000
/** Streams that are being opened at once: an invocation has six fetches that wait for headers. */
const MAX_OPENING = 4

/** Follows the streams of upstream sessions, each once, and opens again what ended. */
export function createFollowers(
  deps: SharedStreamDeps,
  ctx: CallContext,
  request: FollowRequest,
  merger: EventMerger,
) {
  const { actor, snapshot, session, endpoint, resume } = request
  const followed = new Set<string>()
  const queue: UpstreamSession[] = []
  let opening = 0
  // Each server's stream is a part of the whole, which has the event line.
  const part: CallContext = { ...ctx, holdEvent: () => () => undefined }

  async function open({ server: id }: UpstreamSession, isFirst: boolean) {
    const path = (await snapshot.index(ctx)).find((server) => server.id === id)?.path
    const server = path === undefined ? undefined : await snapshot.server(ctx, path)
    if (!server || decide(actor, server, 'notifications/message').kind !== 'allow') return undefined
    const leg = await deps.sharedSessions.leg(ctx, session, server)
    return deps.relayStream(part, {
      target: { actor, server },
      version: leg.version,
      ...(leg.session ? { session: leg.session } : {}),
      ...(isFirst && resume?.server === id ? { resume } : {}),
      shared: { path: endpoint.path, names: namesOf(server.path), session },
    })
  }

  /** The stream, or undefined where there is none to be had. */
  async function tryOpen(upstream: UpstreamSession, isFirst: boolean) {
    opening += 1
    try {
      return await open(upstream, isFirst)
    } catch (thrown) {
      // Not every server opens one (MCP 2025-11-25: 405).
      if (toGatewayError(thrown).code !== 'method_not_allowed') {
        emitFault(deps.events, ctx, 'shared.stream', thrown)
      }
      return undefined
    } finally {
      opening -= 1
      openNext()
    }
  }

  async function follow(upstream: UpstreamSession): Promise<void> {
    for (let isFirst = true; !merger.isOver(); isFirst = false) {
      const response = await tryOpen(upstream, isFirst)
      if (!response?.body) return
      await merger.add(response.body)
      if (merger.isOver()) return
      await new Promise((resolve) => setTimeout(resolve, REOPEN_MS))
    }
  }

  function openNext(): void {
    while (opening < MAX_OPENING && !merger.isOver()) {
      const upstream = queue.shift()
      if (!upstream) return
      ctx.waitUntil(follow(upstream))
    }
  }

  return {
    add(upstream: UpstreamSession): void {
      if (followed.has(upstream.server)) return
      followed.add(upstream.server)
      queue.push(upstream)
      openNext()
    },
  }
}
