import ipaddr from 'ipaddr.js'

/** Which private or plain-http hosts an operator allowed (`PRIVATE_UPSTREAMS`). */
export interface PrivateHosts {
  /** True when this host may be reached although it is private or plain http. */
  allows(hostname: string): boolean
  /** True for the gateway's own Host values: a server there would call itself without end. */
  isGateway(host: string): boolean
}

/** Cloud metadata services, by name and address: refused even when a wider range is allowed. */
const METADATA_HOSTS = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
])
const METADATA_ADDRESSES = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  'fd00:ec2::254',
  'fd20:ce::254',
]

const PRIVATE_SUFFIXES = [
  '.localhost',
  '.local',
  '.localdomain',
  '.internal',
  '.private',
  '.svc',
  '.lan',
  '.home',
  '.corp',
  '.intranet',
  '.home.arpa',
]

/** Parses a comma-separated list of host names, addresses and CIDRs. Throws naming a bad entry. */
export function parsePrivateHosts(
  list: string,
  gatewayHosts: ReadonlySet<string> = new Set(),
): PrivateHosts {
  const names = new Set<string>()
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = []
  for (const entry of list
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter(Boolean)) {
    if (ipaddr.isValidCIDR(entry)) ranges.push(ipaddr.parseCIDR(entry))
    else if (ipaddr.isValid(entry)) ranges.push(hostRange(ipaddr.process(entry)))
    else if (/^[a-z0-9._-]+$/.test(entry)) names.add(canonicalName(entry))
    else throw new Error(`"${entry}" is neither a host name nor an address nor a CIDR`)
  }
  return {
    isGateway: (host) => gatewayHosts.has(host),
    allows(hostname) {
      const address = addressOf(hostname)
      if (!address) return names.has(canonicalName(hostname))
      return ranges.some(
        ([base, bits]) => base.kind() === address.kind() && address.match(base, bits),
      )
    },
  }
}

/** What is wrong with a URL as an upstream, as a sentence; undefined when it may be called. */
export function upstreamUrlProblem(text: string, privateHosts: PrivateHosts): string | undefined {
  if (!URL.canParse(text)) return 'is not an absolute URL'
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must be an https URL'
  if (url.username !== '' || url.password !== '') return 'must not carry credentials'
  if (url.hash !== '' || text.includes('#')) return 'must not carry a fragment'
  return hostProblem(url, privateHosts)
}

function hostProblem(url: URL, privateHosts: PrivateHosts): string | undefined {
  const { hostname } = url
  if (isMetadataHost(hostname)) return 'points to a cloud metadata service'
  if (privateHosts.isGateway(url.host)) return 'points to this gateway itself'
  if (privateHosts.allows(hostname)) return undefined
  if (isPrivateHost(hostname)) {
    return 'points to a private address; list its host in PRIVATE_UPSTREAMS to allow it'
  }
  if (url.protocol === 'http:') {
    return 'must use https; list its host in PRIVATE_UPSTREAMS to allow plain http'
  }
  return undefined
}

/** Whether a host is a name of which only its addresses tell where it leads. */
export function isResolved(hostname: string, privateHosts: PrivateHosts): boolean {
  // What an operator listed by name may lead wherever it does.
  return addressOf(hostname) === undefined && !privateHosts.allows(hostname)
}

/**
 * What is wrong with the addresses that a name resolves to, as a sentence. One of them is enough:
 * which one is called is not ours to choose.
 */
export function resolvedProblem(
  addresses: readonly string[],
  privateHosts: PrivateHosts,
): string | undefined {
  if (addresses.length === 0) return 'has a name that does not resolve'
  if (addresses.some(isMetadataHost)) return 'resolves to a cloud metadata service'
  const isRefused = (address: string) => !privateHosts.allows(address) && isPrivateHost(address)
  if (!addresses.some(isRefused)) return undefined
  return 'resolves to a private address; list its host in PRIVATE_UPSTREAMS to allow it'
}

function isMetadataHost(hostname: string): boolean {
  const address = addressOf(hostname)
  if (!address) return METADATA_HOSTS.has(canonicalName(hostname))
  return METADATA_ADDRESSES.some((known) => ipaddr.process(known).toString() === address.toString())
}

function isPrivateHost(hostname: string): boolean {
  const address = addressOf(hostname)
  if (address) return address.range() !== 'unicast'
  const name = canonicalName(hostname)
  return (
    name === 'localhost' ||
    !name.includes('.') ||
    PRIVATE_SUFFIXES.some((suffix) => name.endsWith(suffix))
  )
}

/** The address a hostname stands for; IPv4 in IPv6 unwrapped (mapped, compatible, NAT64, 6to4). */
function addressOf(hostname: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '')
  if (!ipaddr.isValid(bare)) return undefined
  const address = ipaddr.process(bare)
  return address instanceof ipaddr.IPv6 ? (embeddedIpv4(address) ?? address) : address
}

function embeddedIpv4(address: ipaddr.IPv6): ipaddr.IPv4 | undefined {
  const bytes = address.toByteArray()
  const range = address.range()
  if (range === 'rfc6052' || range === 'rfc6145' || range === 'ipv4Mapped') {
    return new ipaddr.IPv4(bytes.slice(12))
  }
  if (range === '6to4') return new ipaddr.IPv4(bytes.slice(2, 6))
  // ISATAP (RFC 5214 section 6.1): the interface id `[02]00:5efe` and an address.
  const isIsatap = bytes[8] === 0 || bytes[8] === 2
  if (isIsatap && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe) {
    return new ipaddr.IPv4(bytes.slice(12))
  }
  // IPv4-compatible (RFC 4291 section 2.5.5.1): `::127.0.0.1`, which `range` takes for unicast.
  const isCompatible = range === 'unicast' && bytes.slice(0, 12).every((byte) => byte === 0)
  return isCompatible ? new ipaddr.IPv4(bytes.slice(12)) : undefined
}

function hostRange(address: ipaddr.IPv4 | ipaddr.IPv6): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

function canonicalName(hostname: string): string {
  return hostname.toLowerCase().replace(/\.+$/, '')
}
