import { type CallContext, GatewayError, isPlainObject } from '../../core/index.ts'
import type { ClientHello } from '../upstream/open-session.ts'
import { rawMember } from '../wire/edit-members.ts'
import { KEEP_ALIVE, KEEP_ALIVE_MS } from '../wire/keep-alive.ts'
import { messageEvent } from '../wire/write-messages.ts'
import type { ClientLine } from './client-lines.ts'
import { type Asked, inputOf, isDeclared, legacyInputRequest, type Round } from './rounds.ts'

/** The legacy client of one call. */
export interface AskedClient {
  readonly ctx: CallContext
  readonly line: ClientLine
  readonly hello: ClientHello
  /** Path of the server that asks. */
  readonly server: string
  /** When the time of the whole call is over, epoch ms. */
  readonly until: number
}

/** A person has to read a form and fill it in. */
const CLIENT_ANSWER_MS = 10 * 60_000

/** Puts to the client what the server asks; the answers by the server's keys. */
export async function* askClient(
  { ctx, line, hello, server, until: callEndsAt }: AskedClient,
  { asked }: Round,
): AsyncGenerator<Uint8Array, ReadonlyMap<string, string>> {
  if (asked.some((one) => !isDeclared(one, hello))) throw undeclared(server)
  if (asked.length > 0 && !(await line.listen())) throw sessionOver()
  const ids = asked.map(() => line.nextId())
  for (const [index, one] of asked.entries()) {
    yield messageEvent(legacyInputRequest(one, ids[index] ?? ''))
  }
  const until = Math.min(ctx.clock.now() + CLIENT_ANSWER_MS, callEndsAt)
  const inputs = new Map<string, string>()
  for (const [index, one] of asked.entries()) {
    const response = yield* answerTo(line, ids[index] ?? '', () => until - ctx.clock.now())
    inputs.set(one.key, requireInput(one, response))
  }
  return inputs
}

/** Shows now and then that the call lives. */
async function* answerTo(
  line: ClientLine,
  id: string,
  leftMs: () => number,
): AsyncGenerator<Uint8Array, string> {
  while (leftMs() > 0) {
    const answer = await line.answerTo(id, Math.min(KEEP_ALIVE_MS, leftMs()))
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

function undeclared(server: string): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server "${server}" needs something of the client that it did not declare.`,
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
