/** What a request's headers carry to prove who sends it. */
export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'token'; readonly token: string }

/** RFC 6750 section 2.1: the scheme is case-insensitive, the token is a `b64token`. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i

/**
 * The one bearer token of a request. `X-Authorization`, when present, alone counts, so that
 * `Authorization` may carry a token for the upstream: a bad one is never made good by the other.
 * Another scheme counts as no credential (RFC 6750 section 3.1). URLs are never looked at.
 */
export function credentialFrom(headers: Headers): Credential {
  const value = headers.get('x-authorization') ?? headers.get('authorization')
  if (value === null) return { kind: 'none' }
  const token = BEARER.exec(value)?.[1]
  if (token !== undefined) return { kind: 'token', token }
  return /^bearer\b/i.test(value) ? { kind: 'malformed' } : { kind: 'none' }
}
