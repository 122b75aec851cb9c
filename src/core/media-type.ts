/** A media type without its parameters, in lower case (RFC 9110 section 8.3.1). */
export function mediaType(value: string | null | undefined): string | undefined {
  return value?.split(';')[0]?.trim().toLowerCase()
}
