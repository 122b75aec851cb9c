import { z } from 'zod'
import { type Principal, TenantId } from '../core/index.ts'

/** The payload of a token whose signature holds. */
export type Claims = Readonly<Record<string, unknown>>

/**
 * Signature algorithms an issuer may be trusted with (RFC 7518 section 3.1, RFC 8037).
 * Asymmetric only: with a shared secret, or with `none`, whoever verifies could also sign.
 */
const SIGNATURE_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const

type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number]

/** What is known about one kind of identity provider. A new IdP is one entry of `PRESETS`. */
interface Preset {
  /** Claims that list groups, all read. A dot walks into an object: `realm_access.roles`. */
  readonly groupsClaims: readonly string[]
  /** The group's name as policy knows it. */
  readonly groupName: (group: string) => string
  /** OAuth scopes: text separated by spaces, or a list. */
  readonly scopesClaim: string
  /** Absent: every token of the issuer belongs to one tenant. */
  readonly tenantClaim?: string
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly kind: (claims: Claims) => Principal['kind']
  /** False for what can be told to be an ID token, a refresh token, a logout token and so on. */
  readonly isAccessToken: (typ: string | undefined, claims: Claims) => boolean
}

const COMMON_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const
const ACCESS_TOKEN_TYPES: readonly (string | undefined)[] = [
  undefined,
  'jwt',
  'at+jwt',
  'application/at+jwt',
]
const asIs = (group: string) => group
const own = (claims: Claims, claim: string) =>
  Object.hasOwn(claims, claim) ? claims[claim] : undefined

/** `at_hash` and `c_hash` exist in ID tokens only (OpenID Connect Core 1.0, section 3.3.2.11). */
const isAccessToken = (typ: string | undefined, claims: Claims) =>
  ACCESS_TOKEN_TYPES.includes(typ?.toLowerCase()) &&
  own(claims, 'at_hash') === undefined &&
  own(claims, 'c_hash') === undefined

const PRESETS = {
  oidc: {
    groupsClaims: ['groups'],
    groupName: asIs,
    scopesClaim: 'scope',
    algorithms: COMMON_ALGORITHMS,
    // A client that acts for itself is its own subject (RFC 9068 section 2.2).
    kind: (claims) =>
      [own(claims, 'client_id'), own(claims, 'azp')].includes(own(claims, 'sub'))
        ? 'service'
        : 'user',
    isAccessToken,
  },
  keycloak: {
    groupsClaims: ['groups', 'realm_access.roles'],
    // With "full group path" on, Keycloak writes `/admins`; off, `admins`. Both mean the same.
    groupName: (group) => group.replace(/^\//, ''),
    scopesClaim: 'scope',
    algorithms: COMMON_ALGORITHMS,
    kind: (claims) =>
      String(own(claims, 'preferred_username')).startsWith('service-account-') ? 'service' : 'user',
    // Its payload says ID, Refresh, Offline, Logout; only Bearer may call.
    isAccessToken: (typ, claims) =>
      isAccessToken(typ, claims) && [undefined, 'Bearer'].includes(textOf(own(claims, 'typ'))),
  },
  gatehouse: {
    groupsClaims: ['groups'],
    groupName: asIs,
    scopesClaim: 'scope',
    tenantClaim: 'tenant',
    algorithms: ['ES256'],
    kind: (claims) => {
      const kind = own(claims, 'kind')
      return kind === 'service' || kind === 'agent' ? kind : 'user'
    },
    isAccessToken: (typ) => typ === 'at+jwt',
  },
} as const satisfies Record<string, Preset>

type PresetName = keyof typeof PRESETS

/** True by construction: the keys of an object literal that nothing extends. */
const presetNames = Object.keys(PRESETS) as PresetName[]

/** Every token of an issuer that names no tenant belongs to this one. */
const DEFAULT_TENANT = TenantId.parse('default')

const Claim = z.string().min(1).max(200)
const HttpUrl = z
  .string()
  .max(2_000)
  .refine(
    (text) => /^https?:\/\//.test(text) && URL.canParse(text),
    'must be an absolute URL (https, or http for a host that is allowed privately)',
  )
const IssuerUrl = HttpUrl.refine(
  (text) => !/[?#]/.test(text) && !URL.parse(text)?.username,
  'must have no query, fragment or credentials',
)

/**
 * An identity provider whose tokens are accepted. Everything but `preset` and `issuer` overrides
 * the preset. `audiences` are accepted besides the endpoint's URL and the gateway's origin;
 * `tenant` defaults to `default`; `jwksUri` skips discovery.
 */
export const IssuerConfig = z
  .strictObject({
    preset: z.enum(presetNames).exclude(['gatehouse']),
    /** Compared with `iss` as it stands, character by character. */
    issuer: IssuerUrl,
    audiences: z.array(z.string().min(1).max(2_000)).max(50).optional(),
    tenant: TenantId.optional(),
    tenantClaim: Claim.optional(),
    groupsClaims: z.array(Claim).max(20).optional(),
    scopesClaim: Claim.optional(),
    algorithms: z.array(z.enum(SIGNATURE_ALGORITHMS)).min(1).optional(),
    jwksUri: HttpUrl.optional(),
  })
  .refine((config) => config.tenant === undefined || config.tenantClaim === undefined, {
    path: ['tenantClaim'],
    message: 'excludes `tenant`: a tenant is either fixed or read from a claim',
  })
export type IssuerConfig = z.infer<typeof IssuerConfig>

/** How the tokens of one issuer are read: its preset with its overrides applied. */
export interface IssuerRules extends Omit<Preset, 'tenantClaim'> {
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly tenant:
    | { readonly kind: 'fixed'; readonly tenant: TenantId }
    | { readonly kind: 'claim'; readonly claim: string }
}

/** Rules for a configured issuer, or for the gateway's own (`preset: 'gatehouse'`). */
export function issuerRules(
  config: Omit<IssuerConfig, 'preset'> & { readonly preset: PresetName },
): IssuerRules {
  const preset: Preset = PRESETS[config.preset]
  const tenantClaim = config.tenantClaim ?? preset.tenantClaim
  return {
    ...preset,
    issuer: config.issuer,
    audiences: config.audiences ?? [],
    groupsClaims: config.groupsClaims ?? preset.groupsClaims,
    scopesClaim: config.scopesClaim ?? preset.scopesClaim,
    algorithms: config.algorithms ?? preset.algorithms,
    tenant:
      config.tenant === undefined && tenantClaim !== undefined
        ? { kind: 'claim', claim: tenantClaim }
        : { kind: 'fixed', tenant: config.tenant ?? DEFAULT_TENANT },
  }
}

/** Undefined stays undefined; what is not text becomes text that matches nothing. */
function textOf(value: unknown): string | undefined {
  return value === undefined || typeof value === 'string' ? value : ''
}
