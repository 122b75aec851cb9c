import { createParser } from 'eventsource-parser'
import { GatewayError, isPlainObject, readBounded } from '../../core/index.ts'

/** A JSON-RPC response, and how many characters carried it. */
interface AnswerMessage {
  readonly message: Record<string, unknown>
  readonly chars: number
}

/** Deeper than any honest result, and flat enough to be written as JSON again. */
const MAX_DEPTH = 256

/**
 * The response to the request `id`, out of a JSON body or an event stream of at most `maxBytes`.
 * Anything else in the stream is passed over: who declared no capabilities owes no answers. `onFound`
 * runs before what is left of the stream is cancelled. Throws `upstream_failed` when there is none, when it is too large, or nested too deep.
 */
export async function readAnswer(
  response: Response,
  id: number,
  maxBytes: number,
  onFound: () => void = () => undefined,
): Promise<AnswerMessage> {
  const type = response.headers.get('content-type') ?? ''
  const text = type.startsWith('text/event-stream')
    ? await findInStream(response.body, id, maxBytes, onFound)
    : await readWhole(response.body, maxBytes)
  const message = text === undefined ? undefined : responseIn(text)
  if (!message) throw failed('answered with something that is no JSON-RPC response')
  if (isDeeperThan(message, MAX_DEPTH)) throw failed('sent an answer that is nested too deep')
  return { message, chars: text?.length ?? 0 }
}

async function readWhole(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<string> {
  try {
    return await readBounded(body, maxBytes)
  } catch (cause) {
    const isLarge = cause instanceof GatewayError && cause.code === 'body_too_large'
    throw failed(isLarge ? `sent more than ${maxBytes} bytes` : BROKE_OFF, cause)
  }
}

const BROKE_OFF = 'closed the connection before its answer was complete'

/** Undefined when the stream ends without it. What comes behind the answer is not waited for. */
async function findInStream(
  body: ReadableStream<Uint8Array> | null,
  id: number,
  maxBytes: number,
  onFound: () => void,
): Promise<string | undefined> {
  if (!body) return undefined
  let found: string | undefined
  const parser = createParser({
    onEvent: ({ data }) => {
      if (responseIn(data)?.['id'] === id) found ??= data
    },
  })
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let bytes = 0
  try {
    while (found === undefined) {
      const { done, value } = await reader.read()
      if (done) break
      bytes += value.byteLength
      if (bytes > maxBytes) throw failed(`sent more than ${maxBytes} bytes`)
      parser.feed(decoder.decode(value, { stream: true }))
    }
    if (found !== undefined) onFound()
    return found
  } catch (cause) {
    throw cause instanceof GatewayError ? cause : failed(BROKE_OFF, cause)
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

function responseIn(text: string): Record<string, unknown> | undefined {
  try {
    const message: unknown = JSON.parse(text)
    const isResponse =
      isPlainObject(message) &&
      (isPlainObject(message['result']) || isPlainObject(message['error']))
    return isResponse ? message : undefined
  } catch {
    // Not JSON: the caller says that there is no answer.
    return undefined
  }
}

/** Level by level: recursion would meet the very depth that it is to find. */
function isDeeperThan(value: unknown, maxDepth: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return true
    level = level.flatMap((one) =>
      typeof one === 'object' && one !== null ? Object.values(one) : [],
    )
  }
  return false
}

function failed(what: string, cause?: unknown): GatewayError {
  return new GatewayError('upstream_failed', `The server ${what}.`, { cause })
}
