import {
  contentLength,
  createDeadline,
  type Deadline,
  GatewayError,
  readBounded,
  textAsSent,
} from '../core/index.ts'

/** What a body may take. */
export interface BodyBounds {
  readonly maxBytes: number
  /** From the first look at it to its last byte, in ms. */
  readonly timeoutMs: number
}

/** For any body that is no file; as long as an upstream may be silent. */
export const DEFAULT_BODY_TIMEOUT_MS = 30_000

/** Of a body that is refused for its size: how much of it, and how long, is read and dropped. */
const MAX_DRAINED_BYTES = 128 * 1024 * 1024
const MAX_DRAIN_MS = 5_000

/**
 * The body of a request as UTF-8 text. One that is too large is read to its end, within bounds, and
 * dropped: a client that still writes would find its connection closed, and not see the refusal
 * (nginx lingers for the same reason). Throws `body_too_large`, `body_timeout`, `parse_error`.
 */
export async function requestText(
  request: Request,
  { maxBytes, timeoutMs }: BodyBounds,
  /** Runs for as long already; it goes on when the text is there, and ends where none comes. */
  given?: Deadline,
): Promise<string> {
  const deadline = given ?? createDeadline(timeoutMs)
  let text: string | undefined
  try {
    const size = harmlessSize(request, maxBytes)
    const whole = await deadline.within(
      size === undefined ? readChunks(request, maxBytes, deadline) : request.text(),
    )
    if (whole === undefined) throw tooSlow(timeoutMs)
    text = size === undefined ? whole : textAsSent(whole, size)
    return text
  } finally {
    if (!given || text === undefined) deadline.end()
  }
}

/**
 * How long the body is, where that is known to be harmless: the platform enforces the header. Such a
 * body may be read in one go, which costs a third of reading it in chunks.
 */
function harmlessSize({ headers }: Request, maxBytes: number): number | undefined {
  const size = contentLength(headers)
  return size !== undefined && size <= maxBytes ? size : undefined
}

function readChunks(request: Request, maxBytes: number, deadline: Deadline): Promise<string> {
  return readBounded(request.body, maxBytes, (reader) => {
    // What it is refused for is known, and what is left has a time of its own.
    deadline.end()
    return drain(reader)
  })
}

/** Never rejects. */
async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const timer = setTimeout(() => void stop(reader), MAX_DRAIN_MS)
  try {
    for (let left = MAX_DRAINED_BYTES; left > 0; ) {
      const { done, value } = await reader.read()
      if (done) return
      left -= value.byteLength
    }
  } catch {
    // Who sent it has gone.
  } finally {
    clearTimeout(timer)
    await stop(reader)
  }
}

function stop(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  return reader.cancel().catch(() => undefined)
}

function tooSlow(timeoutMs: number): GatewayError {
  return new GatewayError('body_timeout', `The body did not arrive within ${timeoutMs} ms.`)
}
