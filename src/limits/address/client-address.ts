/** An address: its family, and two words of 32 bits. */
export type AddressWords = readonly [family: 4 | 6, high: number, low: number]

/**
 * A client's address: of IPv4 all of it, of IPv6 the first 64 bits, since whoever has one address
 * there has all behind it. Undefined for what is no address.
 */
export function addressWords(text: string): AddressWords | undefined {
  const v4 = parseV4(text)
  if (v4 !== undefined) return [4, v4, 0]
  const groups = v6Groups(text)
  if (groups === undefined) return undefined
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups
  // ::ffff:a.b.c.d is a.b.c.d (RFC 4291 section 2.5.5.2).
  const isMapped = (a | b | c | d | e) === 0 && f === 0xffff
  return isMapped ? [4, wordOf(g, h), 0] : [6, wordOf(a, b), wordOf(c, d)]
}

const V4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/
const MAX_CHARS = 45

function parseV4(text: string): number | undefined {
  const bytes = V4.exec(text)?.slice(1).map(Number)
  if (bytes === undefined || bytes.some((byte) => byte > 255)) return undefined
  return bytes.reduce((sum, byte) => ((sum << 8) | byte) >>> 0, 0)
}

function v6Groups(text: string): number[] | undefined {
  if (text.length > MAX_CHARS || !text.includes(':')) return undefined
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':').flatMap(groupOf)))
  if (head === undefined) return undefined
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...new Array<number>(Math.max(0, missing)).fill(0), ...(tail ?? [])]
  return groups.every((group) => group >= 0) ? groups : undefined
}

/** A last group may be an IPv4 address, which stands for two; -1 for what is no group. */
function groupOf(text: string): number[] {
  const v4 = parseV4(text)
  if (v4 !== undefined) return [v4 >>> 16, v4 & 0xffff]
  return [/^[0-9a-fA-F]{1,4}$/.test(text) ? Number.parseInt(text, 16) : -1]
}

function wordOf(high: number, low: number): number {
  return ((high << 16) | low) >>> 0
}
