import type { CallContext, Clock } from '../../core/index.ts'
import type { Events } from '../../observability/index.ts'
import type { TaskIds } from '../relay/task-ids.ts'
import type { SessionStub } from '../session/session-state.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import { type BridgedStreamRequest, createBridgedStream } from './bridged-stream.ts'
import { createOpenFeed, type FeedDeps } from './feed.ts'
import { createLegacyFeed, type OpenLegacyFeed } from './legacy-feed.ts'
import { createListen, type ListenRequest } from './listen.ts'
import { createPlaces, type Places } from './places.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'

export { isListen } from './listen.ts'
export type { EventsStub, WatchStub } from './notice.ts'
export { PLACE_TAKEN, type Places } from './places.ts'

/** Notices of changes: from the servers, across isolates, to whoever may hear of them. */
export interface Notices {
  /** Answers `subscriptions/listen`. */
  listen(ctx: CallContext, request: ListenRequest): Promise<Response>
  /** The same for a legacy client, as a part of the stream that it has open. */
  feed: OpenLegacyFeed
  /** The whole stream of a legacy client whose session is the gateway's own. */
  stream(ctx: CallContext, request: BridgedStreamRequest): Promise<Response>
  /** What legacy clients subscribed to where the gateway tells of it. */
  readonly subscriptions: Subscriptions
  /** For streams that tell other things than changes. */
  readonly places: Places
}

export interface NoticesDeps extends FeedDeps {
  readonly clock: Clock
  readonly taskIds: TaskIds
  readonly object: (key: string) => SessionStub
  readonly bounds: StreamBounds
  readonly events: Events
}

/** @see Notices */
export function createNotices(deps: NoticesDeps): Notices {
  const openFeed = createOpenFeed(deps)
  const openLegacyFeed = createLegacyFeed({ ...deps, openFeed })
  const subscriptions = createSubscriptions(deps)
  return {
    listen: createListen({ ...deps, openFeed }),
    feed: openLegacyFeed,
    stream: createBridgedStream({ ...deps, openLegacyFeed, subscriptions }),
    subscriptions,
    places: createPlaces(deps),
  }
}
