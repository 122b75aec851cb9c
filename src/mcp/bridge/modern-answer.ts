import type { ServerRecord } from '../../registry/index.ts'
import { tooLarge } from '../answer/answer-errors.ts'
import { judge } from '../answer/judge.ts'
import { isMcpAnswer } from '../upstream/failure.ts'
import { type Heard, openMessages } from '../wire/read-messages.ts'
import type { RawId } from '../wire/reply.ts'
import { eventResponse, messageEvent } from '../wire/write-messages.ts'
import { MAX_BRIDGED_BYTES } from './bounds.ts'
import { refusalOf } from './input-required.ts'
import { type ModernView, modernMessage } from './modern-message.ts'

/**
 * A legacy server's answer to a client that can be asked nothing, as a modern server gives it; what
 * is no answer comes back as it is. `tell` sends a message to the server and never rejects.
 */
export function modernAnswer(
  view: ModernView,
  upstreamId: RawId,
  server: Pick<ServerRecord, 'path' | 'timeoutMs'>,
  response: Response,
  tell: (text: string) => Promise<void>,
): Response {
  const type = response.headers.get('content-type')
  const isError = response.status === 400 && type?.startsWith('application/json') === true
  if (!response.body || !(isMcpAnswer(response) || isError)) return response
  const messages = openMessages(response.body, type, MAX_BRIDGED_BYTES)
  let isOver = false

  async function shown({ text, message }: Extract<Heard, { kind: 'message' }>) {
    const verdict = judge(message, upstreamId)
    if (verdict.kind === 'request') await tell(refusalOf(text))
    isOver = verdict.kind === 'answer'
    return modernMessage(view, text, message, verdict)
  }

  async function next(): Promise<Uint8Array | undefined> {
    while (!isOver) {
      const heard = await messages.next(server.timeoutMs)
      if (heard.kind === 'too_large') throw tooLarge(server.path)
      // Whoever relays the stream says that it has no answer.
      if (heard.kind !== 'message') return undefined
      const text = await shown(heard)
      if (text !== undefined) return messageEvent(text)
    }
    await messages.cancel()
    return undefined
  }

  return eventResponse(next, () => void messages.cancel())
}
