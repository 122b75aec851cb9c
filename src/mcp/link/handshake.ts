import { z } from 'zod'
import { rawMember } from '../wire/edit-members.ts'
import { faultResponse } from '../wire/fault-header.ts'
import { createDeadline } from './deadline.ts'
import type { Line } from './line.ts'
import { noRoom, refusalAnswer } from './link-answers.ts'
import type { LinkRequest } from './link-request.ts'
import { type Message, readMessage } from './message.ts'
import { createReply } from './outlet.ts'
import type { Member } from './route.ts'

/** What a client says in `initialize`, as far as it decides about its connection. */
const Hello = z.object({
  params: z.object({
    protocolVersion: z.string().max(32),
    capabilities: z.record(z.string(), z.unknown()),
  }),
})

export interface ClientHello {
  readonly version: string
  /**
   * It can do something that not every client can: answer questions of a server, which must reach
   * this client alone, or what the server has to know of whom it speaks to.
   */
  readonly isCapable: boolean
}

/** Larger hellos are taken for those of clients that can do anything. */
const MAX_HELLO_CHARS = 65_536

/** Undefined for a hello that says less than it has to: its server may judge it. */
export function readHello(text: string): ClientHello | undefined {
  if (text.length > MAX_HELLO_CHARS) return undefined
  const hello = Hello.safeParse(JSON.parse(text)).data
  if (!hello) return undefined
  const { protocolVersion: version, capabilities } = hello.params
  return { version, isCapable: Object.keys(capabilities).length > 0 }
}

const OWN_ID = '"gatehouse"'

/** A request of the gateway's own, for `ask`. */
export function requestOf(
  method: string,
  params: object,
): { readonly id: string; readonly text: string } {
  return {
    id: OWN_ID,
    text: `{"jsonrpc":"2.0","id":${OWN_ID},"method":"${method}","params":${JSON.stringify(params)}}`,
  }
}

export type Asked =
  | { readonly kind: 'answered'; readonly text: string; readonly message: Message }
  | { readonly kind: 'failed'; readonly response: Response }

/** Sends a request whose answer is waited for. `text` is the request with the id `id`. */
export async function ask(
  line: Line,
  { text, id, member }: { readonly text: string; readonly id: string; readonly member?: Member },
  {
    headers,
    timeoutMs,
    signal,
  }: Pick<LinkRequest, 'headers' | 'timeoutMs'> & Partial<Pick<LinkRequest, 'signal'>>,
): Promise<Asked> {
  const reply = createReply()
  const deadline = createDeadline(timeoutMs, signal)
  try {
    const begun = line.exchange.begin({ member, id, token: undefined, sink: reply }, text)
    if (!begun) return { kind: 'failed', response: noRoom() }
    const sent = await line.send(begun.text, { headers, timeoutMs, signal: deadline.signal })
    if (sent.kind !== 'sent') return { kind: 'failed', response: refusalAnswer(sent) }
    const answer = await deadline.within(reply.text)
    const message = answer === undefined ? undefined : readMessage(answer)
    if (answer !== undefined && message) return { kind: 'answered', text: answer, message }
    const fault = deadline.signal.aborted ? 'timeout' : 'network'
    return { kind: 'failed', response: faultResponse(fault) }
  } finally {
    deadline.clear()
    line.leave(reply)
  }
}

/** The result of an answer, as JSON; undefined for an error. */
export function resultOf({ text, message }: Extract<Asked, { kind: 'answered' }>) {
  return message.kind === 'response' && !message.isError ? rawMember(text, 'result') : undefined
}
