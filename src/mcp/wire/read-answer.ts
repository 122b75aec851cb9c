import { createParser } from 'eventsource-parser'
import { isPlainObject } from '../../core/index.ts'
import { openSource } from './pump.ts'

export interface ReadAnswerOptions {
  /** Of the whole body. */
  readonly maxBytes: number
  /** Between two chunks. */
  readonly timeoutMs: number
}

/**
 * Reads the JSON-RPC response to our request `id` out of a body, JSON or events, and stops there.
 * For what the gateway asks itself; answers for clients are relayed. Undefined when none came: the
 * body broke off, was too large, malformed, or somebody else's.
 */
export async function readAnswer(
  response: Response,
  id: string,
  { maxBytes, timeoutMs }: ReadAnswerOptions,
): Promise<Record<string, unknown> | undefined> {
  if (!response.body) return undefined
  const isStream = (response.headers.get('content-type') ?? '').startsWith('text/event-stream')
  let found: Record<string, unknown> | undefined
  let text = ''
  const look = (json: string): void => {
    found ??= answerIn(json, id)
  }
  const parser = createParser({ onEvent: ({ data }) => look(data) })
  const decoder = new TextDecoder()
  const source = openSource(response.body, timeoutMs)
  for (let bytes = 0; found === undefined; ) {
    const chunk = await source.read()
    if (chunk.kind === 'broken') break
    if (chunk.kind === 'complete') {
      if (!isStream) look(text)
      return found
    }
    bytes += chunk.bytes.byteLength
    if (bytes > maxBytes) break
    const part = decoder.decode(chunk.bytes, { stream: true })
    if (isStream) parser.feed(part)
    else text += part
  }
  await source.cancel()
  return found
}

function answerIn(json: string, id: string): Record<string, unknown> | undefined {
  try {
    const message: unknown = JSON.parse(json)
    if (!isPlainObject(message) || message['id'] !== id) return undefined
    return 'result' in message || 'error' in message ? message : undefined
  } catch {
    // Not a message: nothing that answers us.
    return undefined
  }
}
