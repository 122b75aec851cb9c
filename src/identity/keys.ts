import { createLocalJWKSet, type LocalJWKSet } from 'jose'
import { z } from 'zod'
import { type Clock, GatewayError, type Outbound, toGatewayError } from '../core/index.ts'
import type { Events } from '../observability/index.ts'

/** Which key a token says it is signed with. */
export interface KeyHint {
  readonly alg: string
  readonly kid?: string | undefined
}

export type KeyLookup =
  | { readonly kind: 'key'; readonly key: CryptoKey }
  /** The issuer does not publish such a key. */
  | { readonly kind: 'unknown' }
  /** Nobody knows: the issuer's keys could not be fetched. */
  | { readonly kind: 'unavailable' }

/** The verification keys of one issuer. */
export interface KeySource {
  find(hint: KeyHint): Promise<KeyLookup>
}

/** Keys older than this are fetched again before use, so a key that was withdrawn stops working. */
const KEYS_MAX_AGE_MS = 10 * 60_000
/** While the issuer is down, keys that it published are believed for this long. */
const KEYS_MAX_STALE_MS = 60 * 60_000
/** Strangers choose `kid`: it makes us ask the issuer at most once in this time. */
const COOL_DOWN_MS = 30_000
/** Without any key nobody gets in, so a failed first fetch is retried sooner. */
const RETRY_MS = 5_000
/** How many calls may ask at once: a call never waits on another request's fetch (Workers). */
const MAX_PARALLEL_REFRESHES = 16
/** RFC 7518 section 3.3. */
const RSA_MIN_BITS = 2_048
const FETCH = { timeoutMs: 5_000, maxBytes: 256 * 1024 } as const
/** Discovery document, then key set. */
const REFRESH_MAX_MS = 2 * FETCH.timeoutMs

const Discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.string() })
const KeySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) })

export interface IssuerKeysDeps {
  readonly issuer: string
  /** Skips discovery. */
  readonly jwksUri?: string | undefined
  readonly outbound: Pick<Outbound, 'getJson'>
  readonly clock: Clock
  readonly events: Events
}

/**
 * Keys found by OpenID Connect Discovery 1.0 and cached in this isolate. An outage keeps known
 * keys in use for an hour and admits no new ones; each failed refresh is an event.
 */
export function createIssuerKeys(deps: IssuerKeysDeps): KeySource {
  let known: { readonly keys: LocalJWKSet; readonly fetchedAt: number } | undefined
  let jwksUri = deps.jwksUri
  let settled = { at: Number.NEGATIVE_INFINITY, ok: true }
  let burst = { at: Number.NEGATIVE_INFINITY, size: 0 }
  /** When a refresh last left a key unknown. Only that cools down: keys may rotate at any time. */
  let missedAt = Number.NEGATIVE_INFINITY

  const missing = (): KeyLookup => ({ kind: settled.ok ? 'unknown' : 'unavailable' })

  function usable(): LocalJWKSet | undefined {
    return known && deps.clock.now() - known.fetchedAt < KEYS_MAX_STALE_MS ? known.keys : undefined
  }

  /** Counted by time, since a request that its caller gave up leaves no other trace. */
  function mayRefresh(atOnce: number, lastAt: number): boolean {
    const now = deps.clock.now()
    if (now - lastAt < COOL_DOWN_MS) return false
    if (now - burst.at > REFRESH_MAX_MS) burst = { at: now, size: 0 }
    if (burst.size >= atOnce) return false
    burst = { at: burst.at, size: burst.size + 1 }
    return true
  }

  async function refresh(): Promise<void> {
    const fetchedAt = deps.clock.now()
    try {
      const uri = jwksUri ?? (await discover(deps))
      const keys = await fetchKeys(deps, uri)
      // A slow answer never replaces the answer to a later question.
      if (!known || fetchedAt >= known.fetchedAt) known = { keys, fetchedAt }
      jwksUri = uri
      settled = { at: deps.clock.now(), ok: true }
    } catch (thrown) {
      jwksUri = deps.jwksUri
      settled = { at: deps.clock.now(), ok: false }
      const error = toGatewayError(thrown).code
      deps.events.emit({ type: 'key_refresh_failed', issuer: deps.issuer, error })
    }
  }

  async function findKnown(hint: KeyHint): Promise<KeyLookup> {
    const keys = usable()
    const key = keys && (await select(keys, hint))
    return key ? { kind: 'key', key } : missing()
  }

  async function findFresh(hint: KeyHint): Promise<KeyLookup> {
    await refresh()
    const found = await findKnown(hint)
    if (found.kind !== 'key') missedAt = deps.clock.now()
    return found
  }

  return {
    async find(hint) {
      if (!usable()) {
        if (!settled.ok && deps.clock.now() - settled.at < RETRY_MS) return missing()
        return findFresh(hint)
      }
      const isOld = known !== undefined && deps.clock.now() - known.fetchedAt >= KEYS_MAX_AGE_MS
      if (isOld && mayRefresh(1, settled.at)) return findFresh(hint)
      const found = await findKnown(hint)
      const isSettled = found.kind === 'key' || !mayRefresh(MAX_PARALLEL_REFRESHES, missedAt)
      return isSettled ? found : findFresh(hint)
    },
  }
}

async function discover({ issuer, outbound }: IssuerKeysDeps): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const document = Discovery.safeParse(await outbound.getJson(url, FETCH))
  if (!document.success) throw unusable('The discovery document lacks issuer or jwks_uri.')
  // OpenID Connect Discovery 1.0, section 4.3: exactly the same, else keys of one speak for another.
  if (document.data.issuer !== issuer)
    throw unusable('The discovery document names another issuer.')
  return document.data.jwks_uri
}

async function fetchKeys({ outbound }: IssuerKeysDeps, uri: string): Promise<LocalJWKSet> {
  const document = KeySet.safeParse(await outbound.getJson(uri, FETCH))
  if (!document.success) throw unusable('The key set is not a JWKS document.')
  const keys = document.data.keys.filter((key) => key.kty !== 'oct')
  // An issuer that restarts may serve an empty set for a moment: that withdraws no key.
  if (keys.length === 0) throw unusable('The key set has no public key.')
  return createLocalJWKSet({ keys })
}

async function select(keys: LocalJWKSet, { alg, kid }: KeyHint): Promise<CryptoKey | undefined> {
  try {
    const key = await keys({ alg, ...(kid !== undefined && { kid }) })
    const isWeak =
      'modulusLength' in key.algorithm && Number(key.algorithm.modulusLength) < RSA_MIN_BITS
    return isWeak ? undefined : key
  } catch {
    // No such key, several without a kid to choose by, or one that this platform cannot import:
    // the same for a caller, and its 401 stands on the event line.
    return undefined
  }
}

function unusable(message: string): GatewayError {
  return new GatewayError('upstream_failed', message)
}
