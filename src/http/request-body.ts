import { GatewayError, readBounded } from '../core/index.ts'

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
  { body, headers }: Pick<Request, 'body' | 'headers'>,
  { maxBytes, timeoutMs }: BodyBounds,
): Promise<string> {
  if (!body) return ''
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow(timeoutMs)), timeoutMs)
  })
  try {
    const length = headers.get('content-length')
    const leave = (reader: ReadableStreamDefaultReader<Uint8Array>) => {
      // What it is refused for is known, and what is left has a time of its own.
      clearTimeout(timer)
      return drain(reader)
    }
    return await Promise.race([readBounded(body, maxBytes, length, leave), late])
  } finally {
    clearTimeout(timer)
  }
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
