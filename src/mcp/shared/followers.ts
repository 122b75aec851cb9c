import type { Clock } from '../../core/index.ts'
import type { UpstreamSession } from '../session/session-state.ts'
import type { EventMerger } from '../wire/merge-events.ts'

/** What came of opening a server's stream. */
export type PartOpening =
  | { readonly kind: 'open'; readonly body: ReadableStream<Uint8Array> }
  /** It may be had later. */
  | { readonly kind: 'failed' }
  /** The server gives none, or the client may not hear it. */
  | { readonly kind: 'refused' }

/** Follows streams, one of each server, and opens again what ended or failed. */
export interface Followers<One extends Followable = UpstreamSession> {
  /** One that waits to be opened again is opened now: something has just spoken to its server. */
  add(upstream: One): void
  /** Nothing is opened any more. */
  stop(): void
}

/** Whose stream it is. */
export interface Followable {
  /** Names the server among those that are followed. */
  readonly server: string
}

export interface FollowersDeps<One extends Followable = UpstreamSession> {
  readonly clock: Clock
  readonly waitUntil: (work: Promise<unknown>) => void
  readonly merger: EventMerger
  /** Never rejects. */
  readonly open: (upstream: One) => Promise<PartOpening>
}

/** Streams that are being opened at once: an invocation has six fetches that wait for headers. */
export const MAX_OPENING = 4
/** Before a stream that ended is opened again; doubles each time that it did not last. */
const MIN_WAIT_MS = 5_000
const MAX_WAIT_MS = 5 * 60_000
/** A stream that lived this long was no failure. */
const LASTING_MS = 30_000
/**
 * Times that streams are opened again, of all servers together: an invocation has so many
 * subrequests. Then the client's stream ends, and the client comes back in a new invocation.
 */
export const MAX_REOPENED = 500

interface Followed<One> {
  upstream: One
  /** Before it is opened the next time. */
  waitMs: number
  hasBeenTried: boolean
  timer?: ReturnType<typeof setTimeout>
}

/** @see Followers */
export function createFollowers<One extends Followable = UpstreamSession>({
  clock,
  waitUntil,
  merger,
  open,
}: FollowersDeps<One>): Followers<One> {
  const followed = new Map<string, Followed<One>>()
  const queue: Followed<One>[] = []
  let opening = 0
  let reopened = 0

  function openNext(): void {
    while (opening < MAX_OPENING && !merger.isOver()) {
      const next = queue.shift()
      if (!next) return
      if (next.hasBeenTried) reopened += 1
      if (reopened > MAX_REOPENED) {
        waitUntil(merger.close())
        return
      }
      next.hasBeenTried = true
      opening += 1
      waitUntil(follow(next))
    }
  }

  async function follow(one: Followed<One>): Promise<void> {
    const opened = await open(one.upstream)
    const openedAt = clock.now()
    opening -= 1
    openNext()
    if (opened.kind === 'open') await merger.add(opened.body)
    if (merger.isOver()) return
    if (opened.kind === 'refused') {
      followed.delete(one.upstream.server)
      return
    }
    const hasLasted = opened.kind === 'open' && clock.now() - openedAt >= LASTING_MS
    reopenLater(one, hasLasted ? MIN_WAIT_MS : one.waitMs)
  }

  function reopenLater(one: Followed<One>, waitMs: number): void {
    one.waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)
    one.timer = setTimeout(() => reopen(one), waitMs)
  }

  function reopen(one: Followed<One>): void {
    clearTimeout(one.timer)
    delete one.timer
    queue.push(one)
    openNext()
  }

  return {
    add(upstream) {
      const known = followed.get(upstream.server)
      const one = known ?? { upstream, waitMs: MIN_WAIT_MS, hasBeenTried: false }
      one.upstream = upstream
      followed.set(upstream.server, one)
      // It is open, or about to be, unless it waits.
      if (!known || known.timer !== undefined) reopen(one)
    },

    stop() {
      for (const { timer } of followed.values()) clearTimeout(timer)
    },
  }
}
