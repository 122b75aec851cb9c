import {
  andThen,
  type Clock,
  type MaybePromise,
  type Outbound,
  type Principal,
} from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import { authorizationOf } from './bearer.ts'
import { type IssuerConfig, issuerRules } from './issuers.ts'
import { createIssuerKeys } from './keys.ts'
import { createOwnKeys, type OwnIssuer } from './own-issuer.ts'
import { refusal } from './refusals.ts'
import { createVerifier, type TrustedIssuer } from './verify.ts'

export interface IdentityDeps {
  /** The gateway's origin: an audience that is good for every endpoint. */
  readonly publicUrl: string
  readonly issuers: readonly IssuerConfig[]
  /** The gateway's own issuer; its tokens are verified without a fetch. */
  readonly own?: OwnIssuer | undefined
  readonly outbound: Pick<Outbound, 'getJson'>
  readonly clock: Clock
  readonly events: Events
}

/** The endpoint that a request asks for. */
export interface Resource {
  /** Absolute URL: what a token for this endpoint alone has as its audience. */
  readonly url: string
  /** More audiences that are good there: another way in to the same thing. */
  readonly alsoUrls?: readonly string[]
  /** Where the endpoint's protected-resource metadata is. */
  readonly metadataUrl: () => string
}

/** Finds out who is calling. */
export interface Identity {
  /**
   * The principal that the request's bearer token proves; at once for a token that is known.
   * Throws `unauthenticated`, with `WWW-Authenticate` in `detail.headers` and why in
   * `detail.data.reason`.
   */
  authenticate(headers: Headers, resource: Resource): MaybePromise<Principal>
  /** The own issuer's public keys as a JWKS document; empty without an own issuer. */
  jwks(): Promise<{ keys: object[] }>
}

/** Build once per isolate: keys and verified tokens are cached in it. Throws on an issuer named twice. */
export function createIdentity(deps: IdentityDeps): Identity {
  const ownKeys = deps.own && createOwnKeys(deps.own)
  const issuers = new Map<string, TrustedIssuer>()
  const trust = (issuer: TrustedIssuer) => {
    const { issuer: name } = issuer.rules
    if (issuers.has(name)) throw new Error(`The issuer "${name}" is configured twice.`)
    issuers.set(name, issuer)
  }
  for (const config of deps.issuers) {
    const { issuer, jwksUri } = config
    trust({ rules: issuerRules(config), keys: createIssuerKeys({ ...deps, issuer, jwksUri }) })
  }
  if (deps.own && ownKeys) {
    const rules = issuerRules({ preset: 'gatehouse', issuer: deps.own.issuer })
    trust({ rules, keys: ownKeys })
  }
  const verifier = createVerifier({ issuers, clock: deps.clock })
  // Clients write an origin with or without its slash (RFC 8707 section 2 allows either).
  const origin = deps.publicUrl.replace(/\/$/, '')
  const origins = [origin, `${origin}/`]

  return {
    authenticate(headers, resource) {
      const isGood = (audience: string) =>
        audience === resource.url ||
        origins.includes(audience) ||
        resource.alsoUrls?.includes(audience) === true
      return andThen(verifier.verify(authorizationOf(headers), isGood), (verdict) => {
        if (verdict.kind === 'refused') throw refusal(verdict.reason, resource.metadataUrl())
        return verdict.principal
      })
    },
    async jwks() {
      return ownKeys ? ownKeys.jwks() : { keys: [] }
    },
  }
}
