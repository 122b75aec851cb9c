import { mediaType } from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import { fellSilent, tooLarge } from '../answer/answer-errors.ts'
import type { LostAnswer } from '../answer/answer-rules.ts'
import { judge } from '../answer/judge.ts'
import { isMcpAnswer } from '../upstream/failure.ts'
import { type Heard, openMessages } from '../wire/read-messages.ts'
import type { RawId } from '../wire/reply.ts'
import { type Resuming, resumedMessages } from '../wire/resumed-messages.ts'
import { eventResponse, messageEvent } from '../wire/write-messages.ts'
import { MAX_BRIDGED_BYTES } from './bounds.ts'
import { refusalOf } from './input-required.ts'
import { type ModernView, modernMessage } from './modern-message.ts'

/** The server's end of the session that the answer comes in. */
export interface LegacyEnd extends Resuming {
  /** Sends it a message. Never rejects. */
  tell(text: string): Promise<void>
  /** Told why there is no answer, where its end does not say so by itself. */
  onLost(lost: LostAnswer): void
}

/** Whether a legacy server's response may hold an answer: errors come under HTTP 400 too. */
export function mayAnswer(response: Response): boolean {
  const type = mediaType(response.headers.get('content-type'))
  return isMcpAnswer(response) || (response.status === 400 && type === 'application/json')
}

/**
 * A legacy server's answer to a client that can be asked nothing, as a modern server gives it; what
 * is no answer comes back as it is.
 */
export function modernAnswer(
  view: ModernView,
  upstreamId: RawId,
  server: Pick<ServerRecord, 'path' | 'timeoutMs'>,
  response: Response,
  { tell, resume, onLost }: LegacyEnd,
): Response {
  const type = response.headers.get('content-type')
  if (!response.body || !mayAnswer(response)) return response
  const messages = resumedMessages(openMessages(response.body, type, MAX_BRIDGED_BYTES), { resume })
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
      if (heard.kind === 'too_large') {
        onLost({ error: tooLarge(server.path, MAX_BRIDGED_BYTES), isBounded: true })
      }
      if (heard.kind === 'silent') {
        onLost({ error: fellSilent(server.path, server.timeoutMs / 1_000), isBounded: false })
      }
      // Whoever relays the stream says that it has no answer.
      if (heard.kind !== 'message') break
      const text = await shown(heard)
      if (text !== undefined) return messageEvent(text)
    }
    await messages.cancel()
    return undefined
  }

  return eventResponse(next, () => void messages.cancel())
}
