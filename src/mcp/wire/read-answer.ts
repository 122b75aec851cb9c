import { createParser } from 'eventsource-parser'
import { isPlainObject } from '../../core/index.ts'
import { openSource } from './pump.ts'
import { createRestDeadline } from './rest-deadline.ts'

export interface ReadAnswerOptions {
  /** Of the whole body. */
  readonly maxBytes: number
  /** Between two chunks. */
  readonly timeoutMs: number
  /** Runs when the answer is found, before what is left of a stream is cancelled. */
  readonly onFound?: () => void
}

/** From the first chunk on: what the gateway asks itself is answered in less, however it drips. */
const MAX_ANSWER_MS = 5 * 60_000

/** What a body held: the answer, and how many characters carried it, or why there is none. */
export type ReadAnswer =
  | {
      readonly kind: 'answer'
      readonly message: Readonly<Record<string, unknown>>
      readonly chars: number
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'too_large' }
  | { readonly kind: 'broken' }

/**
 * Reads the JSON-RPC response to our request `id` out of a body, JSON or events, and stops there.
 * For what the gateway asks itself; answers for clients are relayed. Anything else in a stream is
 * passed over: who declared no capabilities owes no answers.
 */
export async function readAnswer(
  response: Response,
  id: string | number | null,
  { maxBytes, timeoutMs, onFound }: ReadAnswerOptions,
): Promise<ReadAnswer> {
  if (!response.body) return { kind: 'none' }
  const isStream = (response.headers.get('content-type') ?? '').startsWith('text/event-stream')
  let found: ReadAnswer | undefined
  let text = ''
  const look = (json: string): void => {
    found ??= answerIn(json, id)
  }
  const parser = createParser({ onEvent: ({ data }) => look(data) })
  const decoder = new TextDecoder()
  const source = openSource(response.body, timeoutMs)
  const rest = createRestDeadline(MAX_ANSWER_MS, () => void source.cancel())
  let failure: ReadAnswer = { kind: 'broken' }
  for (let bytes = 0; found === undefined; ) {
    const chunk = await source.read()
    if (chunk.kind === 'broken' || rest.isLate()) break
    rest.begin()
    if (chunk.kind === 'complete') {
      rest.clear()
      if (!isStream) look(text + decoder.decode())
      return found ?? { kind: 'none' }
    }
    bytes += chunk.bytes.byteLength
    if (bytes > maxBytes) {
      failure = { kind: 'too_large' }
      break
    }
    const part = decoder.decode(chunk.bytes, { stream: true })
    if (isStream) parser.feed(part)
    else text += part
  }
  rest.clear()
  if (found) onFound?.()
  await source.cancel()
  return found ?? failure
}

function answerIn(json: string, id: string | number | null): ReadAnswer | undefined {
  try {
    const message: unknown = JSON.parse(json)
    if (!isPlainObject(message) || message['id'] !== id) return undefined
    const isResponse = 'result' in message || 'error' in message
    return isResponse ? { kind: 'answer', message, chars: json.length } : undefined
  } catch {
    // Not a message: nothing that answers us.
    return undefined
  }
}
