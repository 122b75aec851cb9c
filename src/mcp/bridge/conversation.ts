import { type CallContext, GatewayError, toGatewayError } from '../../core/index.ts'
import type { CallDeadline } from '../../resilience/index.ts'
import { fellSilent, malformed, tooLarge } from '../answer/answer-errors.ts'
import { judge } from '../answer/judge.ts'
import type { InboundRequest } from '../eras.ts'
import { withText } from '../inbound-text.ts'
import type { Outgoing } from '../relay/outgoing.ts'
import type { BridgedSession, SharedSession } from '../session/sessions.ts'
import { isMcpAnswer } from '../upstream/failure.ts'
import type { UpstreamAnswer } from '../upstream/send.ts'
import { editObject, rawMember } from '../wire/edit-members.ts'
import { type Messages, openMessages } from '../wire/read-messages.ts'
import { errorMessage, type RawId } from '../wire/reply.ts'
import { messageEvent } from '../wire/write-messages.ts'
import { askClient } from './ask-client.ts'
import { MAX_BRIDGED_BYTES } from './bounds.ts'
import type { ClientLine } from './client-lines.ts'
import { requireComplete } from './require-complete.ts'
import { type Round, retryOf, roundOf } from './rounds.ts'
import { taskOnly } from './task-only.ts'
import { legacyResult } from './to-legacy.ts'

/** One request of a legacy client on its way to a modern server. */
export interface LegacyAsking {
  readonly outgoing: Outgoing
  readonly client: BridgedSession | SharedSession
  readonly logLevel?: string
  /** The id under which the answer is given back, raw JSON. */
  readonly upstreamId: RawId
}

/** Sends one round, to the endpoint that the first one went to. */
export type SendRound = (
  inbound: InboundRequest,
  id: RawId,
  first?: UpstreamAnswer,
) => Promise<UpstreamAnswer>

/** A call that goes on for as long as its server has questions. */
export interface Talk {
  readonly ctx: CallContext
  readonly line: ClientLine
  readonly asking: LegacyAsking
  readonly inbound: InboundRequest
  readonly send: SendRound
  readonly first: UpstreamAnswer
  /** Of the whole call, all rounds included. */
  readonly deadline: CallDeadline | undefined
  /** The server has answered a round, and so is well. */
  readonly onAnswered: () => void
  /** Its answer was cut by a bound of ours, which says nothing of it. */
  readonly onBounded: () => void
}

/** What the server's stream came to. */
type Outcome =
  | { readonly kind: 'answer'; readonly text: string }
  | { readonly kind: 'round'; readonly round: Round }
  /** It broke: whoever relays the stream says so. */
  | { readonly kind: 'lost' }

/** Times that a server may ask back before it has to answer (PROTOCOL.md 1.11). */
const MAX_ROUNDS = 10
/** A response that may hold the answer. */
export interface OpenedAnswer {
  readonly messages: Messages
  readonly isStream: boolean
}

/** Undefined for what holds no answer. Errors may come under HTTP 400 and 404 too. */
export async function openAnswer(
  response: Response,
  { target }: Outgoing,
): Promise<OpenedAnswer | undefined> {
  const type = response.headers.get('content-type')
  const isJson = type?.startsWith('application/json') === true
  const isError = isJson && (response.status === 400 || response.status === 404)
  if (!response.body || !(isMcpAnswer(response) || isError)) {
    await response.body?.cancel().catch(() => undefined)
    if (response.ok) throw malformed(target.server.path)
    return undefined
  }
  const messages = openMessages(response.body, type, MAX_BRIDGED_BYTES)
  return { messages, isStream: !isJson }
}

/** Events as they are to be written; returns the last message. */
export type Events = AsyncGenerator<Uint8Array, string | undefined>

/** Never throws: what fails is the last message. */
export async function* conversation(of: Talk, first: Messages): Events {
  const { ctx, asking } = of
  const server = asking.outgoing.target.server.path
  const until = endOf(of.deadline)
  const asked = { ctx, line: of.line, hello: asking.client.hello, server, until }
  let messages = first
  let id = asking.upstreamId
  let sent = of.first
  try {
    for (let rounds = 0; ; rounds += 1) {
      const outcome = yield* untilAnswer(of, messages, id)
      if (outcome.kind === 'lost') return undefined
      if (outcome.kind === 'answer') {
        return editObject(outcome.text, { id: () => asking.upstreamId })
      }
      if (rounds === MAX_ROUNDS) throw tooManyRounds(asking)
      // While the client thinks, nothing runs at the server.
      sent.end()
      const inputs = yield* askClient(asked, outcome.round)
      id = JSON.stringify(ctx.random.uuid())
      const retry = withText(of.inbound, retryOf(of.inbound, outcome.round, inputs))
      sent = await of.send(retry, id, of.first)
      const opened = await openAnswer(sent.response, asking.outgoing)
      if (!opened) throw malformed(server)
      messages = opened.messages
    }
  } catch (thrown) {
    // Who has cancelled it reads no response.
    if (of.line.cancelled.aborted) return undefined
    const error = toGatewayError(thrown)
    ctx.facts.outcome = error.code
    return errorMessage(error, asking.upstreamId, ctx.requestId)
  } finally {
    sent.end()
    await messages.cancel()
  }
}

async function* untilAnswer(
  { asking, onAnswered, onBounded }: Talk,
  messages: Messages,
  id: RawId,
): AsyncGenerator<Uint8Array, Outcome> {
  const { method } = asking.outgoing.inbound
  const { path, timeoutMs } = asking.outgoing.target.server
  for (;;) {
    const heard = await messages.next(timeoutMs)
    if (heard.kind === 'too_large') {
      onBounded()
      throw tooLarge(path, MAX_BRIDGED_BYTES)
    }
    if (heard.kind === 'silent') throw fellSilent(path, timeoutMs / 1_000)
    if (heard.kind !== 'message') return { kind: 'lost' }
    const verdict = judge(heard.message, id)
    if (verdict.kind === 'notification') yield messageEvent(heard.text)
    if (verdict.kind === 'malformed') throw malformed(path)
    if (verdict.kind !== 'answer') continue
    onAnswered()
    await messages.cancel()
    const result = rawMember(heard.text, 'result')
    const round = result === undefined ? undefined : roundOf(result)
    if (round) return { kind: 'round', round }
    requireComplete(path, result)
    const translate = (raw: string | undefined) => raw && legacyResult(method, raw)
    const error = (raw: string | undefined) =>
      raw && method === 'tools/call' ? taskOnly(raw) : raw
    return { kind: 'answer', text: editObject(heard.text, { result: translate, error }) }
  }
}

/** Epoch ms; infinite where nothing bounds a call as a whole. */
function endOf(deadline: CallDeadline | undefined): number {
  return deadline?.startedAt === undefined
    ? Number.POSITIVE_INFINITY
    : deadline.startedAt + deadline.ms
}

function tooManyRounds({ outgoing }: LegacyAsking): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server "${outgoing.target.server.path}" asked back more than ${MAX_ROUNDS} times.`,
  )
}
