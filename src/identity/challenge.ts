/** Why a request with a token was refused, in the words of RFC 6750 section 3.1. */
export type ChallengeError =
  | { readonly code: 'invalid_token'; readonly description: string }
  /** `scope`: the OAuth scopes that would do, separated by spaces. */
  | { readonly code: 'insufficient_scope'; readonly scope: string }

/**
 * The `WWW-Authenticate` value of a 401 or 403 (RFC 6750 section 3, RFC 9728 section 5.1).
 * Without `error` for a request that carried no token: then nothing about it was wrong.
 */
export function challenge(metadataUrl: string, error?: ChallengeError): string {
  const parameters = [`resource_metadata=${quoted(metadataUrl)}`]
  if (error) parameters.push(`error=${quoted(error.code)}`)
  if (error?.code === 'invalid_token') {
    parameters.push(`error_description=${quoted(error.description)}`)
  }
  if (error?.code === 'insufficient_scope') parameters.push(`scope=${quoted(error.scope)}`)
  return `Bearer ${parameters.join(', ')}`
}

/** Only characters that all these parameters allow; a quote or a line break would end the value. */
function quoted(value: string): string {
  return `"${value.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?')}"`
}
