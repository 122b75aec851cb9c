import { GatewayError } from '../core/index.ts'
import { challenge } from './challenge.ts'

/** Why a request is not authenticated: what a caller reads, without a word of the token. */
const REFUSALS = {
  missing: ['No bearer token was sent.', 'Send `Authorization: Bearer <token>`.'],
  malformed: ['The bearer token is not a well-formed JWT.', 'Send the access token unchanged.'],
  issuer: ['The token comes from an issuer that is not trusted here.', 'Use a trusted issuer.'],
  algorithm: ['The token is signed with an algorithm not allowed here.', 'Use RS256 or ES256.'],
  token_type: ['The token is not an access token.', 'Send an access token, not an ID token.'],
  unknown_key: ['The token is signed with a key its issuer does not publish.', 'Sign in again.'],
  keys_unavailable: ["The issuer's keys cannot be fetched at the moment.", 'Try again shortly.'],
  signature: ['The signature of the token is not valid.', 'Sign in again.'],
  expired: ['The token has expired.', 'Get a new token.'],
  not_yet_valid: ['The token is not valid yet.', "Check the clock of the token's issuer."],
  claims: ['The token lacks a subject or an expiry, or they are not valid.', 'Sign in again.'],
  tenant: ['The token names no valid tenant.', 'Check the tenant claim of the issuer.'],
  audience: ['The token was issued for another audience.', 'Ask for a token for this resource.'],
} as const

export type RefusalReason = keyof typeof REFUSALS

/** The 401 for a reason, with its `WWW-Authenticate`; `detail.data.reason` is the reason. */
export function refusal(reason: RefusalReason, metadataUrl: string): GatewayError {
  const [description, fix] = REFUSALS[reason]
  const value =
    reason === 'missing'
      ? challenge(metadataUrl)
      : challenge(metadataUrl, { code: 'invalid_token', description })
  return new GatewayError('unauthenticated', description, {
    fix,
    headers: { 'WWW-Authenticate': value },
    data: { reason },
  })
}
