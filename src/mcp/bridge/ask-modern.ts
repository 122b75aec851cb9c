import { type CallContext, GatewayError, isPlainObject, toGatewayError } from '../../core/index.ts'
import { malformed, tooLarge } from '../answer/answer-errors.ts'
import { judge } from '../answer/judge.ts'
import type { InboundRequest } from '../eras.ts'
import { withText } from '../inbound-text.ts'
import { buildCall } from '../relay/build-call.ts'
import type { Outgoing } from '../relay/outgoing.ts'
import type { BridgedSession, SharedSession } from '../session/sessions.ts'
import { isMcpAnswer } from '../upstream/failure.ts'
import type { UpstreamAnswer, Upstreams } from '../upstream/send.ts'
import { editObject, rawMember } from '../wire/edit-members.ts'
import { KEEP_ALIVE, KEEP_ALIVE_MS } from '../wire/keep-alive.ts'
import { type Messages, openMessages } from '../wire/read-messages.ts'
import { errorMessage, type RawId } from '../wire/reply.ts'
import { eventResponse, messageEvent } from '../wire/write-messages.ts'
import { MAX_BRIDGED_BYTES } from './bounds.ts'
import type { ClientLine, ClientLines } from './client-lines.ts'
import {
  type Asked,
  inputOf,
  isDeclared,
  legacyInputRequest,
  type Round,
  retryOf,
  roundOf,
} from './rounds.ts'
import { legacyResult } from './to-legacy.ts'
import { type ClientFace, modernRequest } from './to-modern.ts'

export interface AskModernDeps {
  readonly upstreams: Upstreams
  readonly lines: ClientLines
}

/** One request of a legacy client on its way to a modern server. */
export interface LegacyAsking {
  readonly outgoing: Outgoing
  readonly client: BridgedSession | SharedSession
  readonly logLevel?: string
  /** The id under which the answer is given back, raw JSON. */
  readonly upstreamId: RawId
}

/** What came of it. Who has cancelled a request gets no response to it. */
export type ModernAnswer =
  | { readonly kind: 'cancelled' }
  | ({ readonly kind: 'answer'; readonly isCancelled: () => boolean } & UpstreamAnswer)

/** Times that a server may ask back before it has to answer (PROTOCOL.md 1.11). */
const MAX_ROUNDS = 10
/** A person has to read a form and fill it in. */
const CLIENT_ANSWER_MS = 10 * 60_000

/**
 * Asks a modern server for a legacy client, and answers as a legacy server would: what the server
 * wants to know becomes requests on the stream, whose answers it gets with the request once more.
 * Throws what `Upstreams.send` throws.
 */
export function createAskModern({ upstreams, lines }: AskModernDeps) {
  return async function askModern(ctx: CallContext, asking: LegacyAsking): Promise<ModernAnswer> {
    const { outgoing, client, upstreamId } = asking
    const face: ClientFace = {
      hello: client.hello,
      ...(asking.logLevel === undefined ? {} : { logLevel: asking.logLevel }),
    }
    const callId = String(JSON.parse(upstreamId))
    const line = lines.open(ctx, client.key, callId)
    const within = { ...ctx, signal: AbortSignal.any([ctx.signal, line.cancelled]) }
    const send: SendRound = (inbound, id, first) =>
      upstreams.send(within, {
        ...buildCall({ inbound, headers: new Headers(), target: outgoing.target }, id)(),
        ...(first ? { pinned: first.endpoint.id } : {}),
      })
    try {
      const inbound = modernRequest(outgoing.inbound, face)
      const first = await send(inbound, upstreamId)
      const response = await talk({ ctx, line, asking, inbound, send, first })
      const isCancelled = () => line.cancelled.aborted
      return { kind: 'answer', endpoint: first.endpoint, response, isCancelled }
    } catch (thrown) {
      line.close()
      if (line.cancelled.aborted) return { kind: 'cancelled' }
      throw thrown
    }
  }
}

type SendRound = (
  inbound: InboundRequest,
  id: RawId,
  first?: UpstreamAnswer,
) => Promise<UpstreamAnswer>

interface Talk {
  readonly ctx: CallContext
  readonly line: ClientLine
  readonly asking: LegacyAsking
  readonly inbound: InboundRequest
  readonly send: SendRound
  readonly first: UpstreamAnswer
}

/** What the server's stream came to. */
type Outcome =
  | { readonly kind: 'answer'; readonly text: string }
  | { readonly kind: 'round'; readonly round: Round }
  /** It broke: whoever relays the stream says so. */
  | { readonly kind: 'lost' }

async function talk(of: Talk): Promise<Response> {
  const { response } = of.first
  const opened = await openAnswer(response, of.asking.outgoing)
  if (!opened) {
    of.line.close()
    return new Response(null, { status: response.status })
  }
  const events = conversation(of, opened.messages)
  if (opened.isStream) return streamed(of, events)
  // One message, which is the answer more often than not.
  const first = await events.next()
  if (first.done === true && first.value !== undefined) {
    of.line.close()
    return new Response(first.value, { headers: { 'content-type': 'application/json' } })
  }
  return streamed(of, events, first.done === true ? undefined : first.value)
}

/** Undefined for what holds no answer. Errors may come under HTTP 400 and 404 too. */
async function openAnswer(response: Response, { target }: Outgoing) {
  const type = response.headers.get('content-type')
  const isJson = type?.startsWith('application/json') === true
  const isError = isJson && (response.status === 400 || response.status === 404)
  if (!response.body || !(isMcpAnswer(response) || isError)) {
    await response.body?.cancel()
    if (response.ok) throw malformed(target.server.path)
    return undefined
  }
  const messages = openMessages(response.body, type, MAX_BRIDGED_BYTES)
  return { messages, isStream: !isJson }
}

/** Events as they are to be written; returns the last message. */
type Events = AsyncGenerator<Uint8Array, string | undefined>

async function* conversation(of: Talk, first: Messages): Events {
  const { ctx, asking } = of
  let messages = first
  let id = asking.upstreamId
  try {
    for (let rounds = 0; ; rounds += 1) {
      const outcome = yield* untilAnswer(of, messages, id)
      if (outcome.kind === 'lost') return undefined
      if (outcome.kind === 'answer') {
        return editObject(outcome.text, { id: () => asking.upstreamId })
      }
      if (rounds === MAX_ROUNDS) throw tooManyRounds(asking)
      const inputs = yield* askClient(of, outcome.round)
      id = JSON.stringify(ctx.random.uuid())
      const retry = withText(of.inbound, retryOf(of.inbound, outcome.round, inputs))
      const { response } = await of.send(retry, id, of.first)
      const opened = await openAnswer(response, asking.outgoing)
      if (!opened) throw malformed(asking.outgoing.target.server.path)
      messages = opened.messages
    }
  } catch (thrown) {
    // Who has cancelled it reads no response.
    if (of.line.cancelled.aborted) return undefined
    const error = toGatewayError(thrown)
    ctx.facts.outcome = error.code
    return errorMessage(error, asking.upstreamId, ctx.requestId)
  } finally {
    await messages.cancel()
  }
}

async function* untilAnswer(
  { asking }: Talk,
  messages: Messages,
  id: RawId,
): AsyncGenerator<Uint8Array, Outcome> {
  const { method } = asking.outgoing.inbound
  const { path, timeoutMs } = asking.outgoing.target.server
  for (;;) {
    const heard = await messages.next(timeoutMs)
    if (heard.kind === 'too_large') throw tooLarge(path)
    if (heard.kind !== 'message') return { kind: 'lost' }
    const verdict = judge(heard.message, id)
    if (verdict.kind === 'notification') yield messageEvent(heard.text)
    if (verdict.kind === 'malformed') throw malformed(path)
    if (verdict.kind !== 'answer') continue
    await messages.cancel()
    const result = rawMember(heard.text, 'result')
    const round = result === undefined ? undefined : roundOf(result)
    if (round) return { kind: 'round', round }
    const translate = (raw: string | undefined) => raw && legacyResult(method, raw)
    return { kind: 'answer', text: editObject(heard.text, { result: translate }) }
  }
}

/** Puts to the client what the server asks; the answers by the server's keys. */
async function* askClient(
  { ctx, line, asking }: Talk,
  { asked }: Round,
): AsyncGenerator<Uint8Array, ReadonlyMap<string, string>> {
  if (asked.some((one) => !isDeclared(one, asking.client.hello))) throw undeclared(asking)
  if (asked.length > 0 && !(await line.listen())) throw sessionOver()
  const ids = asked.map(() => line.nextId())
  for (const [index, one] of asked.entries()) {
    yield messageEvent(legacyInputRequest(one, ids[index] ?? ''))
  }
  const until = ctx.clock.now() + CLIENT_ANSWER_MS
  const inputs = new Map<string, string>()
  for (const [index, one] of asked.entries()) {
    const response = yield* answerTo(line, ids[index] ?? '', () => ctx.clock.now() < until)
    inputs.set(one.key, requireInput(one, response))
  }
  return inputs
}

/** Shows now and then that the call lives. */
async function* answerTo(
  line: ClientLine,
  id: string,
  isInTime: () => boolean,
): AsyncGenerator<Uint8Array, string> {
  while (isInTime()) {
    const answer = await line.answerTo(id, KEEP_ALIVE_MS)
    if (answer !== undefined) return answer
    if (line.cancelled.aborted) break
    yield KEEP_ALIVE
  }
  throw unanswered()
}

function requireInput(asked: Asked, response: string): string {
  const input = inputOf(asked, response)
  if (input !== undefined) return input
  const error: unknown = JSON.parse(rawMember(response, 'error') ?? 'null')
  const said = isPlainObject(error) && typeof error['message'] === 'string' ? error['message'] : ''
  throw new GatewayError(
    'upstream_failed',
    `The server asked for ${asked.method}, and the client answered with an error: ${said.slice(0, 200)}`,
  )
}

function streamed({ line }: Talk, events: Events, first?: Uint8Array): Response {
  let pending = first
  let isOver = false
  return eventResponse(
    async () => {
      if (pending) {
        const bytes = pending
        pending = undefined
        return bytes
      }
      if (isOver) return undefined
      const { done, value } = await events.next()
      if (done !== true) return value
      isOver = true
      line.close()
      return value === undefined ? undefined : messageEvent(value)
    },
    () => line.abandon(),
  )
}

function tooManyRounds({ outgoing }: LegacyAsking): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server "${outgoing.target.server.path}" asked back more than ${MAX_ROUNDS} times.`,
  )
}

function undeclared({ outgoing }: LegacyAsking): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server "${outgoing.target.server.path}" needs something of the client that it did not declare.`,
    { fix: 'Use a client that declares elicitation, sampling or roots, as the tool needs.' },
  )
}

function sessionOver(): GatewayError {
  return new GatewayError('upstream_failed', 'The session ended while the request ran.')
}

function unanswered(): GatewayError {
  return new GatewayError(
    'upstream_timeout',
    'The client did not answer in time what the server asked of it.',
    { fix: 'Send the request again; whether it took effect is for the server to say.' },
  )
}
