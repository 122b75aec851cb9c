/**
 * How many bytes `Content-Length` says that a body has (RFC 9110 section 8.6); undefined where it says
 * nothing, or says it in another way than everybody.
 */
export function contentLength(headers: Headers): number | undefined {
  const text = headers.get('content-length')
  if (text === null) return undefined
  const size = Number(text)
  return size >= 0 && String(size) === text && Number.isSafeInteger(size) ? size : undefined
}
