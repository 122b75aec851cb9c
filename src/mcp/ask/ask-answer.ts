import { GatewayError, isPlainObject } from '../../core/index.ts'
import { type ReadAnswer, readAnswer } from '../wire/read-answer.ts'

/** A JSON-RPC response, and how many characters carried it. */
type AnswerMessage = Omit<Extract<ReadAnswer, { kind: 'answer' }>, 'kind'>

/** Deeper than any honest result, and flat enough to be written as JSON again. */
const MAX_DEPTH = 256
/** An endpoint of ours says something every 25 s, and ends what is silent itself. */
const TIMEOUT_MS = 60_000

/**
 * The response to the request `id` (null: what refused a notification), out of an answer of one of our own endpoints of at most
 * `maxBytes`. Throws `upstream_failed` when there is none, when it is too large, or nested too deep.
 */
export async function requireAnswer(
  response: Response,
  id: number | null,
  maxBytes: number,
  onFound: () => void = () => undefined,
): Promise<AnswerMessage> {
  const read = await readAnswer(response, id, { maxBytes, timeoutMs: TIMEOUT_MS, onFound })
  switch (read.kind) {
    case 'too_large':
      throw failed(`sent more than ${maxBytes} bytes`)
    case 'broken':
      throw failed('closed the connection before its answer was complete')
    case 'none':
      throw failed('answered with something that is no JSON-RPC response')
    case 'answer':
      return requireSound(read)
  }
}

function requireSound({ message, chars }: AnswerMessage): AnswerMessage {
  if (!isPlainObject(message['result']) && !isPlainObject(message['error'])) {
    throw failed('answered with something that is no JSON-RPC response')
  }
  if (isDeeperThan(message, MAX_DEPTH)) throw failed('sent an answer that is nested too deep')
  return { message, chars }
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

function failed(what: string): GatewayError {
  return new GatewayError('upstream_failed', `The server ${what}.`)
}
