/** How the text of a variable is read. Each throws what is wrong with it. */

/** 32 random bytes in base64url are 43 characters. */
const MIN_SECRET_CHARS = 43

/** Scheme, host and port, nothing else. */
export function parseOrigin(text: string): string {
  if (!URL.canParse(text)) throw new Error('is not an absolute URL')
  const url = new URL(text)
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:'
  if (!isWeb || text.replace(/\/$/, '').toLowerCase() !== url.origin) {
    throw new Error('must be an origin: scheme, host and port, nothing else')
  }
  return url.origin
}

/** Of the operator: any host will do, private ones too. */
export function parseWebUrl(text: string): string {
  if (!URL.canParse(text)) throw new Error('is not an absolute URL')
  const { protocol, href, hash } = new URL(text)
  if (!/^https?:$/.test(protocol) || hash !== '') throw new Error('must be an http or https URL')
  return href
}

/** A host as the Host header writes it. */
export function parseHost(text: string): string {
  const isHost = URL.canParse(`http://${text}`) && !/[/@?#]/.test(text)
  if (!isHost) throw new Error(`"${text}" must be a host name or address, with a port if needed`)
  return text
}

/** In lower case. */
export function parseHeaderName(text: string): string {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(text)) throw new Error('must be the name of a header')
  return text.toLowerCase()
}

/** Never quoted in an error. */
export function parseSecret(text: string): string {
  if (text.length < MIN_SECRET_CHARS) throw new Error('is too short')
  return text
}

/** Undefined for an empty text. */
export function optional<T>(parse: (text: string) => T): (text: string) => T | undefined {
  return (text) => (text === '' ? undefined : parse(text))
}

/** A whole number within both bounds. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new Error(`must be a whole number from ${min} to ${max}`)
    }
    return value
  }
}

/** Separated by commas or white space, in lower case. */
export function listOf(text: string): string[] {
  return text
    .split(/[\s,]+/)
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '')
}
