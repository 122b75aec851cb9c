/** The bytes that give JSON and event streams their structure. */
export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
export const QUOTE = 0x22
export const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
export const CLOSE_ARRAY = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d

/** JSON white space (RFC 8259 section 2). */
export function isSpace(byte: number): boolean {
  return byte === SPACE || byte === LF || byte === CR || byte === 0x09
}

/** Ends a JSON number or literal. */
export function isDelimiter(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY || isSpace(byte)
}

/**
 * Where a JSON string goes on from `start`, inside of it: behind its closing quote, or at the end
 * of the bytes. `escaped`: whether the byte behind them is escaped; to be given again there.
 */
export function stringEnd(
  bytes: Uint8Array,
  start: number,
  isStartEscaped: boolean,
): { readonly next: number; readonly closed: boolean; readonly escaped: boolean } {
  let from = isStartEscaped ? start + 1 : start
  for (;;) {
    const quote = bytes.indexOf(QUOTE, from)
    const end = quote === -1 ? bytes.length : quote
    const escaped = isEscapedAt(bytes, from, end)
    if (quote === -1) return { next: end, closed: false, escaped }
    if (!escaped) return { next: quote + 1, closed: true, escaped: false }
    from = quote + 1
  }
}

/** Whether the byte at `end` is escaped by what stands before it, not looking below `from`. */
function isEscapedAt(bytes: Uint8Array, from: number, end: number): boolean {
  let at = end
  while (at > from && bytes[at - 1] === BACKSLASH) at -= 1
  return (end - at) % 2 === 1
}

/** One array of all; the very same one when there is only one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  if (parts.length === 1 && only) return only
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}
