/** What a request says to prove who sends it. */
export type Credential =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'refused'; readonly reason: 'missing' | 'malformed' }

/** RFC 6750 section 2.1: the scheme is case-insensitive, the token is a `b64token`. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i

/**
 * Where a request carries its bearer token. `X-Authorization`, when present, alone counts, so that
 * `Authorization` may carry a token for the upstream: a bad one is never made good by the other.
 * URLs are never looked at.
 */
export function authorizationOf(headers: Headers): string | null {
  return headers.get('x-authorization') ?? headers.get('authorization')
}

/** The one bearer token of a request. Another scheme counts as none (RFC 6750 section 3.1). */
export function credentialFrom(authorization: string): Credential {
  const token = BEARER.exec(authorization)?.[1]
  if (token !== undefined) return { kind: 'token', token }
  const isBearer = /^bearer\b/i.test(authorization)
  return { kind: 'refused', reason: isBearer ? 'malformed' : 'missing' }
}
