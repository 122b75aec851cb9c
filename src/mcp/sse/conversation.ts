import { type CallContext, GatewayError, toGatewayError } from '../../core/index.ts'
import { createEventLine, type EventLine } from '../../http/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import { createCarrier } from './carry.ts'
import { canonicalId, type Handed } from './handed.ts'
import { createSessionBehind, type SessionBehindDeps } from './session-behind.ts'
import { createTurns } from './turns.ts'

/** What a client says and is told on one stream. */
export interface Conversation {
  /** A POST has brought this. */
  take(handed: Handed): void
  /** The stream is to end as soon as nothing runs; its client goes on in another one. */
  retire(): void
  /** The stream has ended: whatever runs has been cancelled, and the session ends with it. */
  end(): void
}

export interface ConversationDeps extends SessionBehindDeps {
  readonly events: Events
  readonly route: string
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
 * Messages of one stream: an invocation has 10,000 subrequests, and a message takes one to its
 * server, two that register it while it runs, and now and then one of policy or limits. Then the
 * stream ends as soon as nothing runs, and by its event id a client goes on in a new one; the SDK's
 * client does not send it, and has to begin anew.
 */
export const MAX_MESSAGES = 2_500
/** Ends it although something runs. */
const MAX_MESSAGES_AT_ALL = 3_000

/** @see Conversation */
export function createConversation(ctx: CallContext, deps: ConversationDeps): Conversation {
  const { merger, principal, path } = deps
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
  const session = createSessionBehind(ctx, deps)
  const carry = createCarrier({ merger, resume: session.resume })
  let count = 0
  let isFull = false
  let isRetired = false
  let refusals = 0
  if (deps.greeted) session.follow()

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
    if (handed.kind === 'initialized' && response.ok) session.follow()
  }

  async function greet(handed: Handed, line: EventLine, opened: () => void): Promise<void> {
    if (!session.begin()) return refuse(handed, line, greetedBefore())
    try {
      const response = await post(handed, line)
      await session.opened(response)
      opened()
      await carry(line.call, handed, response, session.agreed)
    } finally {
      await session.settled()
    }
  }

  async function post({ principal: poster, text }: Handed, line: EventLine): Promise<Response> {
    const response = await session.post(line.call, poster, text)
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
      { requestId, httpMethod: 'POST', caller: deps, waitUntil },
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

  function endWhenFull(): void {
    const isDue = (isRetired || count >= MAX_MESSAGES) && turns.isIdle()
    if (!(isDue || count >= MAX_MESSAGES_AT_ALL) || merger.isOver()) return
    isFull = true
    waitUntil(merger.close())
  }

  return {
    take,
    retire() {
      isRetired = true
      endWhenFull()
    },
    end() {
      turns.stop()
      oneWay.stop()
      session.end(isFull)
    },
  }
}

function isAnswered({ kind }: Handed): boolean {
  return kind === 'initialize' || kind === 'request' || kind === 'batch'
}

function tooMany(): GatewayError {
  return new GatewayError('rate_limited', 'Too many messages wait on this stream.', {
    fix: 'Wait for answers before you ask more.',
  })
}

function greetedBefore(): GatewayError {
  return new GatewayError('invalid_request', 'initialize was sent on this stream before.', {
    fix: 'Open another stream for another session.',
  })
}
