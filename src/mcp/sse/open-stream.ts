import { type CallContext, type Principal, toGatewayError } from '../../core/index.ts'
import type { Events } from '../../observability/index.ts'
import { openChannel, type SessionStub } from '../session/session-state.ts'
import { afterLife, MAX_TIMER_MS } from '../wire/after-life.ts'
import { EVENT_STREAM_HEADERS } from '../wire/event-headers.ts'
import { KEEP_ALIVE_MS } from '../wire/keep-alive.ts'
import { createEventMerger } from '../wire/merge-events.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import { createConversation } from './conversation.ts'
import type { SseEndpoint } from './endpoint.ts'
import { Handed } from './handed.ts'
import { createJoiner } from './pieces.ts'
import type { Greeted, StreamIds } from './stream-ids.ts'

/** A stream that a client opens. */
export interface StreamOpening {
  readonly principal: Principal
  readonly path: string
  /** Throws when its client may be there no longer. */
  readonly arrive: () => Promise<void>
  /** Where the client was before. */
  readonly greeted?: Greeted
  /** Called when it is over, or could not be opened. */
  readonly onOver: () => void
}

export interface OpenStreamDeps {
  readonly events: Events
  readonly endpoint: SseEndpoint
  readonly ids: StreamIds
  /** One per stream. */
  readonly object: (name: string) => Pick<SessionStub, 'fetch'>
  readonly maxBodyBytes: number
  readonly bounds: StreamBounds
}

/** On which what was posted is handed over; the object is named by `channelOf`. */
export const MESSAGES = 'messages'

/** Name of the object over which what was posted anywhere reaches the Worker with the stream. */
export function channelOf(key: string): string {
  return `sse/${key}`
}

/** As JSON, a body has an escape for each of its quotes, and who sent it around it. */
const MAX_GROWTH = 2
const MAX_AROUND_CHARS = 128 * 1024

/**
 * The stream of one client (MCP 2024-11-05, HTTP with SSE): it begins with where to post, and
 * carries whatever the client is told. It ends with the token, with the right to be there, with the
 * session behind it, and when the client leaves; and the session ends with it.
 */
export function createOpenStream(deps: OpenStreamDeps) {
  return async function openStream(ctx: CallContext, opening: StreamOpening): Promise<Response> {
    const { principal, path, arrive, onOver } = opening
    const key = ctx.random.uuid()
    const { sessionId, socket } = await prepare(deps, opening, key).catch((thrown: unknown) => {
      onOver()
      throw thrown
    })
    const release = ctx.holdEvent()
    const ended = new AbortController()
    const merger = createEventMerger((end) => {
      clearInterval(timer)
      clearTimeout(expiry)
      stopLife()
      ctx.caller.signal.removeEventListener('abort', leave)
      onOver()
      socket.close()
      ended.abort()
      conversation.end()
      if (end !== 'closed') ctx.facts.outcome = end
      release()
    }, deps.bounds.stallMs)

    async function look(): Promise<void> {
      if (merger.isOver()) return
      try {
        await arrive()
      } catch (thrown) {
        end(toGatewayError(thrown).code)
      }
    }
    function end(outcome: NonNullable<typeof ctx.facts.outcome>): void {
      if (merger.isOver()) return
      ctx.facts.outcome = outcome
      ctx.waitUntil(merger.close())
    }
    const showLife = async (): Promise<void> => {
      await look()
      if (!merger.isOver()) await merger.keepAlive()
    }

    const timer = setInterval(() => ctx.waitUntil(showLife()), KEEP_ALIVE_MS)
    const leftMs = principal.expiresAt - ctx.clock.now()
    // One that lives longer is looked after at every keep-alive too.
    const expiry = setTimeout(() => ctx.waitUntil(look()), Math.min(leftMs, MAX_TIMER_MS))
    const conversation = createConversation(ctx, {
      ...{ events: deps.events, endpoint: deps.endpoint, ids: deps.ids },
      ...{ merger, principal, path, look },
      route: ctx.facts.route ?? '',
      signal: ended.signal,
      ...(opening.greeted ? { greeted: opening.greeted } : {}),
    })
    const stopLife = afterLife(deps.bounds.maxMs, () => conversation.retire())
    const joiner = createJoiner(deps.maxBodyBytes * MAX_GROWTH + MAX_AROUND_CHARS)
    socket.addEventListener('message', ({ data }) => {
      const text = joiner.add(String(data))
      if (text !== undefined) conversation.take(Handed.parse(JSON.parse(text)))
    })
    // The object is gone: nothing that is posted would be heard.
    socket.addEventListener('close', () => ctx.waitUntil(merger.close()))
    // A stream that writes nothing would not notice that its reader left.
    const leave = (): void => end('cancelled')
    if (ctx.caller.signal.aborted) leave()
    else ctx.caller.signal.addEventListener('abort', leave, { once: true })
    ctx.waitUntil(merger.add(endpointEvent(path, sessionId)))
    return new Response(merger.readable, {
      headers: EVENT_STREAM_HEADERS,
    })
  }
}

async function prepare(deps: OpenStreamDeps, { principal, path }: StreamOpening, key: string) {
  const sessionId = await deps.ids.seal(principal, path, key)
  return { sessionId, socket: await openOwnChannel(deps, key) }
}

async function openOwnChannel({ object }: OpenStreamDeps, key: string): Promise<WebSocket> {
  const socket = await openChannel(object(channelOf(key)), MESSAGES)
  if (!socket) throw new Error('a new channel was refused')
  return socket
}

/** Where the client is to post. Relative: the client reaches the gateway by its own name for it. */
function endpointEvent(path: string, sessionId: string): ReadableStream<Uint8Array> {
  const messages = path === 'mcp' ? '/messages' : `/${path}/messages`
  const event = `event: endpoint\ndata: ${messages}?sessionId=${sessionId}\n\n`
  const { body } = new Response(event)
  if (!body) throw new Error('a text has a body')
  return body
}
