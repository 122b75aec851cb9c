import {
  type CallContext,
  GatewayError,
  isPlainObject,
  type Principal,
  toGatewayError,
} from '../../core/index.ts'
import { createEventLine, type EventLine } from '../../http/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import { createFollowers, type Followable } from '../shared/followers.ts'
import type { EventMerger } from '../wire/merge-events.ts'
import { createCarrier } from './carry.ts'
import { endRequest, postRequest, type SseEndpoint, streamRequest } from './endpoint.ts'
import { canonicalId, type Handed } from './handed.ts'
import { messageEvents } from './message-events.ts'
import type { Greeted, StreamIds } from './stream-ids.ts'
import { createTurns } from './turns.ts'

/** What a client says and is told on one stream. */
export interface Conversation {
  /** A POST has brought this. */
  take(handed: Handed): void
  /** The stream has ended: whatever runs has been cancelled, and the session ends with it. */
  end(): void
}

export interface ConversationDeps {
  readonly events: Events
  readonly endpoint: SseEndpoint
  readonly ids: Pick<StreamIds, 'sealGreeted'>
  readonly merger: EventMerger
  /** Of the stream. */
  readonly principal: Principal
  readonly path: string
  readonly route: string
  /** Aborted when the stream has ended. */
  readonly signal: AbortSignal
  /** Ends the stream unless its client may be here still. Never rejects. */
  readonly look: () => Promise<void>
  /** The session that the client was in when another stream of its own was full. */
  readonly greeted?: Greeted
}

/** Requests that wait for headers at once: an invocation has six such fetches (Workers limits). */
const MAX_OPENING = 4
/** The same for what nothing answers: or an answer would wait for the call that asked. */
const MAX_OPENING_ONE_WAY = 2
/** Requests that run at once; most of them only wait for their server. */
const MAX_RUNNING = 50
/** Messages that wait for their turn, and characters of all that wait or run; more are refused. */
const MAX_WAITING = 100
const MAX_HELD_CHARS = 32 * 1024 * 1024
/** Refusals that wait to be read; who reads nothing and asks on has no use for his stream. */
const MAX_REFUSALS = 100
/**
 * Messages of one stream: an invocation has 1,000 subrequests, and a message takes one to its
 * server, two that register it while it runs, and now and then one of policy or limits. Then the
 * stream ends as soon as nothing runs, and by its event id the client goes on in a new one.
 */
export const MAX_MESSAGES = 250
/** Ends it although something runs. */
const MAX_MESSAGES_AT_ALL = 300

/** @see Conversation */
export function createConversation(ctx: CallContext, deps: ConversationDeps): Conversation {
  const { endpoint, merger, principal, path } = deps
  const waitUntil = (work: Promise<unknown>): void => ctx.waitUntil(work)
  const lane = {
    waitUntil,
    maxWaiting: MAX_WAITING,
    maxWeight: MAX_HELD_CHARS,
    onOver: endWhenFull,
  }
  const turns = createTurns({ ...lane, maxOpening: MAX_OPENING, maxRunning: MAX_RUNNING })
  const oneWay = createTurns({
    ...lane,
    maxOpening: MAX_OPENING_ONE_WAY,
    maxRunning: MAX_OPENING_ONE_WAY,
  })
  // Has no event line: that of the stream tells of it, or that of a message.
  const unseen = (): CallContext => ({
    ...ctx,
    signal: deps.signal,
    facts: {},
    holdEvent: () => () => undefined,
  })
  const carry = createCarrier({
    merger,
    resume: (lastEventId) =>
      endpoint.get(unseen(), principal, path, streamRequest(greeted, lastEventId)),
  })
  const followers = createFollowers<Followable>({
    clock: ctx.clock,
    ...{ waitUntil, merger },
    open: openOwnStream,
  })
  let greeted: Greeted = deps.greeted ?? {}
  let greeting: 'none' | 'asked' | 'done' = deps.greeted ? 'done' : 'none'
  let count = 0
  let isFull = false
  let refusals = 0
  if (deps.greeted) followers.add({ server: path })

  function take(handed: Handed): void {
    if (merger.isOver()) return
    count += handed.count
    if (handed.kind === 'cancel' && turns.drop(handed.cancels ?? '')) return
    const line = lineOf(handed)
    const turn = {
      weight: handed.text.length,
      isFirst: handed.kind === 'initialize' || handed.kind === 'initialized',
      ...(handed.id === undefined ? {} : { id: canonicalId(handed.id) }),
      run: (opened: () => void) => run(handed, line, opened),
      skipped() {
        line.call.facts.outcome = 'cancelled'
        line.answered(202)
      },
    }
    const isOneWay = handed.kind === 'one_way' || handed.kind === 'cancel'
    if ((isOneWay ? oneWay : turns).take(turn)) return
    if (isAnswered(handed)) refuse(handed, line, tooMany())
    // Nobody can be told that what he sent was lost.
    else waitUntil(merger.close())
  }

  async function run(handed: Handed, line: EventLine, opened: () => void): Promise<void> {
    try {
      if (handed.kind === 'initialize') await greet(handed, line, opened)
      else await tell(handed, line, opened)
    } catch (thrown) {
      // The endpoint renders what it refuses: this is a fault of ours.
      emitFault(deps.events, line.call, 'sse', thrown)
      if (isAnswered(handed)) refuse(handed, line, toGatewayError(thrown))
    }
    // What was refused may have been so since the rights behind the stream are gone.
    await deps.look()
    if (line.call.facts.outcome === 'session_not_found') await merger.close()
  }

  async function tell(handed: Handed, line: EventLine, opened: () => void): Promise<void> {
    const response = await post(handed, line)
    opened()
    if (isAnswered(handed)) return carry(line.call, handed, response)
    // Who refuses what nothing answers has nobody to tell; the event line says it.
    await response.body?.cancel()
    if (handed.kind === 'initialized' && response.ok) followers.add({ server: path })
  }

  async function greet(handed: Handed, line: EventLine, opened: () => void): Promise<void> {
    if (greeting !== 'none') return refuse(handed, line, greetedBefore())
    greeting = 'asked'
    const response = await post(handed, line)
    const sessionId = response.headers.get('mcp-session-id')
    greeted = sessionId === null ? {} : { sessionId }
    if (merger.isOver()) return endSession()
    opened()
    await carry(line.call, handed, response, async (json) => {
      const version = agreedVersion(json)
      if (version === undefined) return undefined
      greeting = 'done'
      greeted = { ...greeted, version }
      return deps.ids.sealGreeted(principal, path, greeted)
    })
    if (greeting === 'asked') greeting = 'none'
  }

  async function post({ principal: poster, text }: Handed, line: EventLine): Promise<Response> {
    const response = await endpoint.post(line.call, poster, path, postRequest(greeted, text))
    line.answered(response.status)
    return response
  }

  function refuse({ id }: Handed, line: EventLine, error: GatewayError): void {
    line.call.facts.outcome = error.code
    line.answered(200)
    if (refusals >= MAX_REFUSALS) {
      waitUntil(merger.close())
      return
    }
    refusals += 1
    const told = carry.error(line.call, id === undefined ? {} : { id }, error)
    const forget = (): void => {
      refusals -= 1
    }
    waitUntil(told.finally(forget))
  }

  function lineOf({ requestId }: Handed): EventLine {
    const line = createEventLine(
      { clock: ctx.clock, random: ctx.random, events: deps.events },
      { requestId, httpMethod: 'POST', signal: deps.signal, waitUntil },
    )
    Object.assign(line.call.facts, {
      route: deps.route,
      server: path,
      era: 'legacy',
      principal: principal.key,
      tenant: principal.tenant,
    })
    return line
  }

  /** What a server says besides its answers (MCP 2025-03-26, Listening for Messages from the Server). */
  async function openOwnStream() {
    const own = unseen()
    const response = await endpoint.get(own, principal, path, streamRequest(greeted))
    if (response.ok && response.body) {
      // It ends with the rights behind it, too: then the whole does, without waiting for a sign of life.
      const onEnd = (): void => waitUntil(deps.look())
      return { kind: 'open', body: messageEvents(response, { onEnd }).readable } as const
    }
    await response.body?.cancel()
    if (own.facts.outcome === 'session_not_found') await merger.close()
    else await deps.look()
    return { kind: response.status >= 500 ? 'failed' : 'refused' } as const
  }

  function endWhenFull(): void {
    const isDue = count >= MAX_MESSAGES && turns.isIdle()
    if (!(isDue || count >= MAX_MESSAGES_AT_ALL) || merger.isOver()) return
    isFull = true
    waitUntil(merger.close())
  }

  async function endSession(): Promise<void> {
    if (greeted.sessionId === undefined) return
    // By then the signal of the stream is aborted; that of the request may be, too.
    const { signal } = new AbortController()
    const response = await endpoint.delete(
      { ...unseen(), signal },
      principal,
      path,
      endRequest(greeted),
    )
    await response.body?.cancel()
  }

  return {
    take,
    end() {
      turns.stop()
      oneWay.stop()
      followers.stop()
      if (!isFull) waitUntil(endSession())
    },
  }
}

function isAnswered({ kind }: Handed): boolean {
  return kind === 'initialize' || kind === 'request' || kind === 'batch'
}

/** The revision in the answer to `initialize`; undefined for any other message. */
function agreedVersion(json: string): string | undefined {
  const message: unknown = JSON.parse(json)
  const result = isPlainObject(message) ? message['result'] : undefined
  const version = isPlainObject(result) ? result['protocolVersion'] : undefined
  return typeof version === 'string' ? version : undefined
}

function tooMany(): GatewayError {
  return new GatewayError(
    'rate_limited',
    `More than ${MAX_WAITING} messages wait on this stream.`,
    {
      fix: 'Wait for answers before you ask more.',
    },
  )
}

function greetedBefore(): GatewayError {
  return new GatewayError('invalid_request', 'initialize was sent on this stream before.', {
    fix: 'Open another stream for another session.',
  })
}
