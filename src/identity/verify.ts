import { errors, jwtVerify } from 'jose'
import { z } from 'zod'
import { type Clock, type MaybePromise, type Principal, setBounded } from '../core/index.ts'
import { credentialFrom } from './bearer.ts'
import { principalFrom } from './claims.ts'
import type { IssuerRules } from './issuers.ts'
import type { KeySource } from './keys.ts'
import type { RefusalReason } from './refusals.ts'
import { readToken, type UnverifiedToken } from './token.ts'

/** An issuer whose tokens count: how to read them and how to check them. */
export interface TrustedIssuer {
  readonly rules: IssuerRules
  readonly keys: KeySource
}

export type Verdict =
  | { readonly kind: 'verified'; readonly principal: Principal }
  | { readonly kind: 'refused'; readonly reason: RefusalReason }

/** Checks access tokens. */
export interface Verifier {
  /**
   * `authorization`: as its caller wrote it, scheme and token, or null. `isGood`: audiences that are
   * accepted besides those that the token's issuer lists. At once for what was found good a while ago.
   */
  verify(authorization: string | null, isGood: (audience: string) => boolean): MaybePromise<Verdict>
}

/** How far the clocks of issuer and gateway may differ. */
const CLOCK_TOLERANCE_S = 5
/** A token from further ahead was not issued by a clock that can be believed. */
const MAX_ISSUED_AHEAD_S = 60
/** How long a verified token needs no new check of its signature (DESIGN.md, Decision 4). */
const VERIFIED_MAX_AGE_MS = 60_000
/** Tokens are at most 8 KiB, so this cache is at most 16 MiB, and mostly a tenth of it. */
const VERIFIED_MAX_ENTRIES = 2_000

/** RFC 7519 section 4.1; a number in JSON may be infinite (`1e999`), a date may not. */
const RegisteredClaims = z.looseObject({
  sub: z.string().min(1).max(255),
  exp: z.number().positive().max(Number.MAX_SAFE_INTEGER),
  iat: z.number().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
})

interface Verified {
  readonly principal: Principal
  readonly audiences: readonly string[]
  /** Epoch ms. */
  readonly goodUntil: number
}

/** Verdicts that were good are kept in this isolate; the audience is checked on every call. */
export function createVerifier(deps: {
  /** By the exact text of `iss`. */
  readonly issuers: ReadonlyMap<string, TrustedIssuer>
  readonly clock: Clock
}): Verifier {
  /**
   * By `Bearer` and the token, which is all that almost every caller writes: to find the token in that
   * takes longer than to find it here.
   */
  const verified = new Map<string, Verified>()

  function recall(key: string): Verified | undefined {
    const entry = verified.get(key)
    if (entry && deps.clock.now() < entry.goodUntil) return entry
    verified.delete(key)
    return undefined
  }

  function remember(key: string, entry: Verified): void {
    if (deps.clock.now() >= entry.goodUntil) return
    setBounded(verified, key, entry, VERIFIED_MAX_ENTRIES)
  }

  async function check(token: string): Promise<Verified | RefusalReason> {
    const unverified = readToken(token)
    if (!unverified) return 'malformed'
    const { iss } = unverified.claims
    const trusted = typeof iss === 'string' ? deps.issuers.get(iss) : undefined
    if (!trusted) return 'issuer'
    return checkAgainst(trusted, token, unverified, deps.clock.now())
  }

  function judge(entry: Verified, isGood: (audience: string) => boolean): Verdict {
    const { principal, audiences } = entry
    const own = deps.issuers.get(principal.issuer)?.rules.audiences ?? []
    return audiences.some((aud) => isGood(aud) || own.includes(aud))
      ? { kind: 'verified', principal }
      : { kind: 'refused', reason: 'audience' }
  }

  return {
    verify(authorization, isGood) {
      if (authorization === null) return { kind: 'refused', reason: 'missing' }
      const usual = recall(authorization)
      if (usual) return judge(usual, isGood)
      const credential = credentialFrom(authorization)
      if (credential.kind === 'refused') return credential
      const { token } = credential
      // However it is spelt, a token has one entry: many would push out those of others.
      const key = `Bearer ${token}`
      const known = recall(key)
      if (known) return judge(known, isGood)
      return check(token).then((result) => {
        if (typeof result === 'string') return { kind: 'refused', reason: result }
        const verdict = judge(result, isGood)
        if (verdict.kind === 'verified') remember(key, result)
        return verdict
      })
    },
  }
}

async function checkAgainst(
  { rules, keys }: TrustedIssuer,
  token: string,
  { header, claims }: UnverifiedToken,
  now: number,
): Promise<Verified | RefusalReason> {
  const allowed: readonly string[] = rules.algorithms
  if (!allowed.includes(header.alg)) return 'algorithm'
  if (!rules.isAccessToken(header.typ, claims)) return 'token_type'
  const lookup = await keys.find({ alg: header.alg, kid: header.kid })
  if (lookup.kind !== 'key') {
    return lookup.kind === 'unknown' ? 'unknown_key' : 'keys_unavailable'
  }
  const fault = await signatureFault(token, lookup.key, rules, now)
  if (fault) return fault
  const registered = RegisteredClaims.safeParse(claims)
  if (!registered.success) return 'claims'
  const { sub, exp, iat, aud } = registered.data
  if (iat !== undefined && iat * 1000 > now + MAX_ISSUED_AHEAD_S * 1000) return 'not_yet_valid'
  const principal = await principalFrom(rules, { ...claims, sub, exp })
  if (!principal) return 'tenant'
  return {
    principal,
    audiences: aud === undefined ? [] : [aud].flat(),
    goodUntil: Math.min(principal.expiresAt, now + VERIFIED_MAX_AGE_MS),
  }
}

/** Signature, `iss`, `exp`, `nbf`, unknown `crit` headers: what jose checks. */
async function signatureFault(
  token: string,
  key: CryptoKey,
  rules: IssuerRules,
  now: number,
): Promise<RefusalReason | undefined> {
  try {
    await jwtVerify(token, key, {
      algorithms: [...rules.algorithms],
      issuer: rules.issuer,
      requiredClaims: ['sub', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(now),
    })
    return undefined
  } catch (thrown) {
    if (thrown instanceof errors.JWTExpired) return 'expired'
    if (thrown instanceof errors.JWTClaimValidationFailed) {
      const isEarly = thrown.claim === 'nbf' && thrown.reason === 'check_failed'
      return isEarly ? 'not_yet_valid' : 'claims'
    }
    if (thrown instanceof errors.JWSSignatureVerificationFailed) return 'signature'
    if (thrown instanceof errors.JOSEError) return 'malformed'
    throw thrown
  }
}
