import type { Clock, Random } from '../../core/index.ts'
import type { AllowAddress } from '../../http/index.ts'
import type { Events } from '../../observability/index.ts'
import { type AddressWords, addressWords } from './client-address.ts'
import { createSketch, type Sketch } from './sketch.ts'

/** The platform's rate limiter, as far as it is used (Workers, Rate Limiting binding). */
export interface RateLimitBinding {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>
}

/** What counts as an address, and how often one may call. */
export interface AddressLimitConfig {
  /** The header that says who calls, lower case; undefined where nothing trusted does. */
  readonly addressHeader: string | undefined
  /** Requests a minute of one address; 0 for no limit, also with a `binding`. */
  readonly addressPerMinute: number
}

/** What the limit of addresses is made of. */
export interface AddressLimitDeps {
  readonly config: AddressLimitConfig
  readonly clock: Clock
  readonly random: Random
  readonly events: Events
  /** Counts for a whole location of the platform; its limit is its configuration's. */
  readonly binding?: RateLimitBinding | undefined
}

/** Refusals are told at most this often, as one number: a flood must not write a log. */
const TELL_MS = 10_000
/** What has no address, or none that can be read, counts as one. */
const NOBODY: AddressWords = [4, 0, 0]

/** @see AllowAddress. Undefined where addresses are not limited. */
export function createAddressLimit(deps: AddressLimitDeps): AllowAddress | undefined {
  const { clock, random, events, binding } = deps
  const { addressHeader: header, addressPerMinute: limit } = deps.config
  if (header === undefined || limit === 0) return undefined
  // Made on the first request: Workers give no chance at module scope.
  let sketch: Sketch | undefined
  let refused = 0
  let toldAt = 0

  function tell(isAllowed: boolean): boolean {
    if (isAllowed) return true
    refused += 1
    const now = clock.now()
    if (now - toldAt >= TELL_MS) {
      events.emit({ type: 'address_limited', refused })
      toldAt = now
      refused = 0
    }
    return false
  }

  function takeHere(address: AddressWords): boolean {
    sketch ??= createSketch(keyOf(random))
    return tell(sketch.take(address, limit, clock.now()))
  }

  return (headers) => {
    const address = addressWords(lastOf(headers.get(header) ?? '')) ?? NOBODY
    if (binding === undefined) return takeHere(address)
    // The same network under the same name, however it is written.
    const key = address.map((word) => word.toString(16)).join(':')
    return binding.limit({ key }).then(
      ({ success }) => tell(success),
      // The platform's limiter is away: this isolate counts alone.
      () => takeHere(address),
    )
  }
}

/** Of a list, what the nearest proxy added: the rest may be the client's own invention. */
function lastOf(text: string): string {
  return text.slice(text.lastIndexOf(',') + 1).trim()
}

function keyOf(random: Random) {
  const view = new DataView(random.bytes(8).buffer)
  return { k0: view.getUint32(0), k1: view.getUint32(4) }
}
