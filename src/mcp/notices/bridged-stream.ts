import { type CallContext, type Principal, toGatewayError } from '../../core/index.ts'
import type { Arrival } from '../relay/arrive.ts'
import { sessionNotFound } from '../session/sessions.ts'
import { afterLife } from '../wire/after-life.ts'
import { EVENT_STREAM_HEADERS } from '../wire/event-headers.ts'
import { KEEP_ALIVE_MS } from '../wire/keep-alive.ts'
import { createEventMerger } from '../wire/merge-events.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import type { LegacyFeed, OpenLegacyFeed } from './legacy-feed.ts'
import type { Followed, Subscriptions } from './subscriptions.ts'

/** The stream that a legacy client opens by GET where its session is the gateway's own. */
export interface BridgedStreamRequest {
  readonly principal: Principal
  readonly path: string
  /** Of the client: its subscriptions are its SessionObject's. */
  readonly session: { readonly key: string }
  readonly arrive?: () => Promise<Arrival>
}

export interface BridgedStreamDeps {
  readonly openLegacyFeed: OpenLegacyFeed
  readonly subscriptions: Subscriptions
  readonly bounds: StreamBounds
}

/**
 * Answers GET at a server that gives no stream itself, since it speaks the modern era: its changes,
 * told as a legacy client knows them. Ends with the session, and when its client may be here no
 * longer. Throws `session_not_found`, `rate_limited`, and what refuses the caller.
 */
export function createBridgedStream(deps: BridgedStreamDeps) {
  return async function openBridged(
    ctx: CallContext,
    { session, ...request }: BridgedStreamRequest,
  ): Promise<Response> {
    let feed: LegacyFeed | undefined
    let followed: Followed | undefined
    const release = ctx.holdEvent()
    const merger = createEventMerger((end) => {
      clearInterval(timer)
      stopLife()
      followed?.stop()
      feed?.stop()
      if (end !== 'closed') ctx.facts.outcome = end
      release()
    }, deps.bounds.stallMs)
    const close = (): void => ctx.waitUntil(merger.close())
    const stopLife = afterLife(deps.bounds.maxMs, close)
    const timer = setInterval(() => ctx.waitUntil(merger.keepAlive()), KEEP_ALIVE_MS)
    let latest: readonly string[] | undefined
    const change = (uris: readonly string[]): void => {
      latest = uris
      if (feed) ctx.waitUntil(feed.subscribe(uris))
    }
    followed = await deps.subscriptions.follow(session, change, close).catch(failed)
    if (!followed) return failed(sessionNotFound())
    feed = await deps
      .openLegacyFeed(ctx, {
        ...request,
        uris: followed.uris,
        onEnd(end) {
          if (end.kind === 'refused') ctx.facts.outcome = toGatewayError(end.thrown).code
          close()
        },
      })
      .catch(failed)
    if (latest) ctx.waitUntil(feed.subscribe(latest))
    ctx.waitUntil(merger.add(feed.readable))
    return new Response(merger.readable, {
      headers: EVENT_STREAM_HEADERS,
    })

    function failed(thrown: unknown): never {
      close()
      throw thrown
    }
  }
}
