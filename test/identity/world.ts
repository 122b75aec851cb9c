import type { JWTPayload } from 'jose'
import { expect } from 'vitest'
import { GatewayError } from '../../src/core/index.ts'
import { createIdentity, IssuerConfig } from '../../src/identity/index.ts'
import { fakeIdp, makeKey, testDeps } from './fake-idp.ts'

export const ISSUER = 'https://idp.example/realms/acme'
export const GATEWAY = 'https://gateway.example'
export const RESOURCE = {
  url: `${GATEWAY}/weather/mcp`,
  metadataUrl: () => `${GATEWAY}/.well-known/oauth-protected-resource/weather/mcp`,
}
/** Another server of the same gateway. */
export const OTHER = { ...RESOURCE, url: `${GATEWAY}/finance/mcp` }
/** What the issuer signs with. */
export const key = await makeKey()

/** An identity that trusts one issuer, and tokens of it; `call` asks who sent one. */
export function setup(config: Partial<IssuerConfig> = {}) {
  const deps = testDeps()
  const idp = fakeIdp(ISSUER, [key])
  const issuers = [IssuerConfig.parse({ preset: 'oidc', issuer: ISSUER, ...config })]
  const identity = createIdentity({
    ...deps,
    publicUrl: GATEWAY,
    issuers,
    outbound: idp.outbound,
  })
  const seconds = Math.floor(deps.time.now / 1000)
  const claims = (over: Record<string, unknown> = {}): JWTPayload => ({
    iss: ISSUER,
    sub: 'alice',
    aud: RESOURCE.url,
    iat: seconds,
    exp: seconds + 300,
    ...over,
  })
  // Rejects, whether it is refused at once or not.
  const authenticate = async (headers: Headers, resource = RESOURCE) =>
    identity.authenticate(headers, resource)
  const call = (token: string, resource = RESOURCE) =>
    authenticate(new Headers({ authorization: `Bearer ${token}` }), resource)
  return { ...deps, idp, identity, authenticate, claims, call, seconds }
}

/** The refusal of a call that must be refused. */
export async function refused(work: Promise<unknown>): Promise<GatewayError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(thrown instanceof GatewayError)) throw new Error('was not refused')
  expect(thrown.code).toBe('unauthenticated')
  return thrown
}

/** The reason that such a refusal gives. */
export const reasonOf = async (work: Promise<unknown>) =>
  (await refused(work)).detail.data?.['reason']
