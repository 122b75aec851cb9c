import { GatewayError } from './errors.ts'

/**
 * Reads a whole body as UTF-8 text. Throws `body_too_large` past `maxBytes`, without reading on
 * unless `leave` does, and `parse_error`.
 */
export async function readBounded(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  leave: (reader: ReadableStreamDefaultReader<Uint8Array>) => Promise<void> = (reader) =>
    reader.cancel(),
): Promise<string> {
  if (!body) return ''
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const reader = body.getReader()
  let text = ''
  let total = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    total += value.byteLength
    if (total > maxBytes) {
      await leave(reader)
      throw new GatewayError('body_too_large', `The body is larger than ${maxBytes} bytes.`)
    }
    text += decodeChunk(decoder, value)
  }
  return text + decodeChunk(decoder)
}

/** What the platform puts in place of bytes that are no UTF-8. */
const REPLACEMENT = '\uFFFD'
/** It drops one that a text begins with; three bytes long. */
const BYTE_ORDER_MARK = '\uFEFF'

/**
 * The same of a body that is `size` bytes, where the platform sees to that, as the platform decoded
 * it (`Body.text`): bytes read first and decoded here cost several times as much. Throws `parse_error`
 * for what was not UTF-8, but where what the platform drops and what it puts in its place are as long
 * together: a character of four bytes that lacks its last one, or a mark before certain errors.
 */
export function textAsSent(text: string, size: number): string {
  if (text.length === size && !text.includes(REPLACEMENT)) return text
  const encodedSize = new TextEncoder().encode(text).byteLength
  if (encodedSize === size) return text
  if (encodedSize === size - 3) return BYTE_ORDER_MARK + text
  throw invalidUtf8()
}

function decodeChunk(decoder: TextDecoder, chunk?: Uint8Array): string {
  try {
    return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode()
  } catch (cause) {
    throw invalidUtf8(cause)
  }
}

function invalidUtf8(cause?: unknown): GatewayError {
  return new GatewayError('parse_error', 'The body is not valid UTF-8.', { cause })
}
