/** A resolver of DNS over HTTPS (RFC 8484) that answers what a test says. */
export interface DnsDouble {
  /** By name; an empty list is a name that does not exist, none at all a failure. */
  readonly names: Map<string, readonly string[]>
  ttlSeconds: number
  /** Names that were asked for, once for each family. */
  readonly asked: string[]
  /** Of its URL. */
  answer(request: Request): Response
}

export const RESOLVER_URL = 'https://dns.example/dns-query'
const TYPE_A = 1
const NXDOMAIN = 3
const SERVFAIL = 2
const CNAME = 5

export function createDnsDouble(): DnsDouble {
  const double: DnsDouble = {
    names: new Map(),
    ttlSeconds: 0,
    asked: [],
    answer(request) {
      const text = new URL(request.url).searchParams.get('dns') ?? ''
      const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
      const message = Uint8Array.from(binary, (char) => char.charCodeAt(0))
      const { name, end } = nameIn(message)
      const type = message[end + 1] ?? 0
      double.asked.push(name)
      const known = double.names.get(name)
      const code = known === undefined ? SERVFAIL : known.length === 0 ? NXDOMAIN : 0
      const isWanted = (address: string) => address.includes(':') === (type !== TYPE_A)
      const records = (known ?? []).filter(isWanted).map((address) => {
        const data = bytesOf(address)
        return [0xc0, 12, 0, type, 0, 1, ...ttl(double.ttlSeconds), 0, data.length, ...data]
      })
      // A name may stand for another one, which says nothing by itself.
      const alias = [0xc0, 12, 0, CNAME, 0, 1, ...ttl(300), 0, 2, 0xc0, 12]
      const head = [0, 0, 0x81, 0x80 | code, 0, 1, 0, records.length + 1, 0, 0, 0, 0]
      const question = [...message.slice(12, end + 4)]
      const body = Uint8Array.from([...head, ...question, ...alias, ...records.flat()])
      return new Response(body, { headers: { 'content-type': 'application/dns-message' } })
    },
  }
  return double
}

function nameIn(message: Uint8Array): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(new TextDecoder().decode(message.slice(at + 1, at + 1 + length)))
    at += length + 1
  }
  return { name: labels.join('.'), end: at + 1 }
}

function ttl(seconds: number): number[] {
  return [0, 0, (seconds >> 8) & 0xff, seconds & 0xff]
}

/** IPv6 without `::`. */
function bytesOf(address: string): number[] {
  if (!address.includes(':')) return address.split('.').map(Number)
  return address.split(':').flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}
