/** A media type without its parameters, in lower case (RFC 9110 section 8.3.1). */
export function mediaType(value: string | null | undefined): string | undefined {
  // As servers write it.
  if (value === 'application/json') return value
  return value?.split(';')[0]?.trim().toLowerCase()
}
