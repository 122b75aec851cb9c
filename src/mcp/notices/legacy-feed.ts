import type { CallContext } from '../../core/index.ts'
import { ListName } from '../list-changes.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import { createEventWriter } from './event-writer.ts'
import type { Feed, FeedEnd, FeedRequest, OpenFeed } from './feed.ts'
import type { Wanted } from './notice.ts'
import { changeEvent } from './shown-events.ts'

/** What a legacy client hears without asking: every list, as it declared nothing (MCP 2025-11-25). */
const ALL_LISTS: readonly ListName[] = ListName.options

export interface LegacyFeedRequest extends Pick<FeedRequest, 'principal' | 'path' | 'arrive'> {
  /** The client's own URIs. */
  readonly uris: readonly string[]
  /** Called once when it ends by itself. */
  readonly onEnd: (end: FeedEnd) => void
}

/** Changes as a legacy client hears them, to be written into its stream. */
export interface LegacyFeed {
  /** Events of notifications alone; no comments. */
  readonly readable: ReadableStream<Uint8Array>
  readonly honoured: Wanted
  /** The client has subscribed to these now. */
  subscribe(uris: readonly string[]): Promise<void>
  stop(): void
}

export type OpenLegacyFeed = (ctx: CallContext, request: LegacyFeedRequest) => Promise<LegacyFeed>

/** Opens it. Throws `rate_limited`, and what refuses the caller. */
export function createLegacyFeed(deps: {
  readonly openFeed: OpenFeed
  readonly bounds: StreamBounds
}): OpenLegacyFeed {
  return async (ctx, { uris, onEnd, ...request }) => {
    let feed: Feed | undefined
    const writer = createEventWriter(() => feed?.stop(), {
      keepsAlive: false,
      stallMs: deps.bounds.stallMs,
    })
    feed = await deps.openFeed(ctx, {
      ...request,
      by: 'stream',
      wanted: { lists: ALL_LISTS, uris },
      onChange: (change) => writer.write(changeEvent(change)),
      onEnd(end) {
        ctx.waitUntil(writer.close())
        onEnd(end)
      },
    })
    const opened = feed
    opened.start()
    return {
      readable: writer.readable,
      honoured: opened.honoured,
      subscribe: (now) => opened.want({ lists: ALL_LISTS, uris: now }),
      stop() {
        opened.stop()
        ctx.waitUntil(writer.close())
      },
    }
  }
}
