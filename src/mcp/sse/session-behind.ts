import { type CallContext, isPlainObject, type Principal } from '../../core/index.ts'
import { createFollowers, type Followable } from '../shared/followers.ts'
import type { EventMerger } from '../wire/merge-events.ts'
import { endRequest, postRequest, type SseEndpoint, streamRequest } from './endpoint.ts'
import { messageEvents } from './message-events.ts'
import type { Greeted, StreamIds } from './stream-ids.ts'

/** The one session at the endpoint that a stream speaks in. */
export interface SessionBehind {
  /** Posts within it, as whoever posted. */
  post(call: CallContext, poster: Principal, text: string): Promise<Response>
  /** What comes behind an event of a stream of it. */
  resume(lastEventId: string): Promise<Response>
  /** False when there is one, or one is being opened. */
  begin(): boolean
  /** The endpoint has answered `initialize`. */
  opened(answer: Response): Promise<void>
  /** Sees what that answer says; gives the event id by which the session can be gone on with. */
  agreed(json: string): Promise<string | undefined>
  /** The answer is over: a session that was not agreed upon is none. */
  settled(): Promise<void>
  /** Hands on what the server says besides its answers. */
  follow(): void
  /** Follows nothing any more; ends it unless it is left for another stream to go on with. */
  end(isLeft: boolean): void
}

export interface SessionBehindDeps {
  readonly endpoint: SseEndpoint
  readonly ids: Pick<StreamIds, 'sealGreeted'>
  readonly merger: EventMerger
  /** Of the stream. */
  readonly principal: Principal
  readonly path: string
  /** Aborted when the stream has ended. */
  readonly signal: AbortSignal
  /** Ends the stream unless its client may be here still. Never rejects. */
  readonly look: () => Promise<void>
  /** The session that the client was in when another stream of its own was full. */
  readonly greeted?: Greeted
}

/** @see SessionBehind */
export function createSessionBehind(ctx: CallContext, deps: SessionBehindDeps): SessionBehind {
  const { endpoint, merger, principal, path } = deps
  const waitUntil = (work: Promise<unknown>): void => ctx.waitUntil(work)
  // Has no event line: that of the stream tells of it, or that of a message.
  const unseen = (signal = deps.signal): CallContext => ({
    ...{ ...ctx, caller: { signal }, facts: {} },
    holdEvent: () => () => undefined,
  })
  const followers = createFollowers<Followable>({
    ...{ clock: ctx.clock, waitUntil, merger },
    open: openOwn,
  })
  let greeted: Greeted = deps.greeted ?? {}
  let state: 'none' | 'asked' | 'agreed' = deps.greeted ? 'agreed' : 'none'

  /** MCP 2025-03-26, Listening for Messages from the Server. */
  async function openOwn() {
    const own = unseen()
    const response = await endpoint.get(own, principal, path, streamRequest(greeted))
    if (response.ok && response.body) {
      // It ends with the rights behind it: then all of the stream does, before the next sign of life.
      const onEnd = (): void => waitUntil(deps.look())
      return { kind: 'open', body: messageEvents(response, { onEnd }).readable } as const
    }
    await response.body?.cancel()
    if (own.facts.outcome === 'session_not_found') await merger.close()
    else await deps.look()
    return { kind: response.status >= 500 ? 'failed' : 'refused' } as const
  }

  async function endSession(): Promise<void> {
    if (greeted.sessionId === undefined) return
    const ended = endRequest(greeted)
    greeted = {}
    // The stream's own signal may be aborted by now.
    const { signal } = new AbortController()
    const response = await endpoint.delete(unseen(signal), principal, path, ended)
    await response.body?.cancel()
  }

  return {
    post: (call, poster, text) => endpoint.post(call, poster, path, postRequest(greeted, text)),
    resume: (lastEventId) =>
      endpoint.get(unseen(), principal, path, streamRequest(greeted, lastEventId)),

    begin() {
      if (state !== 'none') return false
      state = 'asked'
      return true
    },

    async opened({ headers }) {
      const sessionId = headers.get('mcp-session-id')
      greeted = sessionId === null ? {} : { sessionId }
      if (merger.isOver()) await endSession()
    },

    async agreed(json) {
      const version = agreedVersion(json)
      if (version === undefined) return undefined
      state = 'agreed'
      greeted = { ...greeted, version }
      return deps.ids.sealGreeted(principal, path, greeted)
    },

    async settled() {
      if (state === 'agreed') return
      state = 'none'
      await endSession()
    },

    follow: () => followers.add({ server: path }),

    end(isLeft) {
      followers.stop()
      if (!isLeft) waitUntil(endSession())
    },
  }
}

/** The revision in the answer to `initialize`; undefined for any other message. */
function agreedVersion(json: string): string | undefined {
  const message: unknown = JSON.parse(json)
  const result = isPlainObject(message) ? message['result'] : undefined
  const version = isPlainObject(result) ? result['protocolVersion'] : undefined
  return typeof version === 'string' ? version : undefined
}
