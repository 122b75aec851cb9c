import { fromBase64Url } from '../../core/index.ts'

const PREFIX = '=?base64?'
const SUFFIX = '?='

/**
 * Text as an HTTP header value: as it is when it is visible ASCII, otherwise in the base64 sentinel.
 * Source: MCP 2026-07-28, Streamable HTTP, Value encoding.
 */
export function encodeHeaderValue(text: string): string {
  const isPlain = /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/.test(text)
  if (isPlain && !(text.startsWith(PREFIX) && text.endsWith(SUFFIX))) return text
  const bytes = new TextEncoder().encode(text)
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return `${PREFIX}${btoa(binary)}${SUFFIX}`
}

/** The text a header value stands for; undefined when a sentinel holds no valid base64 of UTF-8. */
export function decodeHeaderValue(value: string): string | undefined {
  const trimmed = isPadded(value) ? value.replace(/^[ \t]+|[ \t]+$/g, '') : value
  if (!trimmed.startsWith(PREFIX) || !trimmed.endsWith(SUFFIX)) return trimmed
  if (trimmed.length < PREFIX.length + SUFFIX.length) return undefined
  const base64 = trimmed.slice(PREFIX.length, -SUFFIX.length)
  // RFC 4648 section 4: padded.
  if (base64.length % 4 !== 0) return undefined
  const canonical = base64
    .replace(/={1,2}$/, '')
    .replaceAll('+', '-')
    .replaceAll('/', '_')
  const bytes = /[-_]/.test(base64) ? undefined : fromBase64Url(canonical)
  if (!bytes) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Not UTF-8: the caller answers with a header mismatch.
    return undefined
  }
}

/** Almost none is, and to look costs less than to replace nothing. */
function isPadded(value: string): boolean {
  return isBlank(value[0]) || isBlank(value.at(-1))
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\t'
}
