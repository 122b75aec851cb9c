import {
  calculateJwkThumbprint,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose'
import { GatewayError, type Outbound } from '../../src/core/index.ts'
import type { GatewayEvent } from '../../src/observability/index.ts'

/** A signing key pair with the public half as its issuer would publish it. */
export interface TestKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
  readonly publicPem: string
}

export async function makeKey(alg = 'RS256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const bare = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(bare)
  const publicJwk = { ...bare, kid, alg, use: 'sig' }
  return { kid, alg, privateKey, publicJwk, publicPem: await exportSPKI(publicKey) }
}

/** Signs what it is given; a claim that is `undefined` is left out. */
export async function sign(
  key: TestKey,
  claims: JWTPayload,
  header: { kid?: string; typ?: string } = {},
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
    .sign(key.privateKey)
}

export const base64Url = (text: string) => Buffer.from(text).toString('base64url')

/** An issuer behind a fake network: it counts what it was asked and can be down or lie. */
export function fakeIdp(issuer: string, keys: readonly TestKey[]) {
  const state = {
    keys: keys.map((key): object => key.publicJwk),
    discovery: { issuer, jwks_uri: `${issuer}/keys` } as object,
    isDown: false,
  }
  const asked: string[] = []
  const outbound: Pick<Outbound, 'getJson'> = {
    async getJson(url) {
      asked.push(url)
      if (state.isDown) throw new GatewayError('upstream_failed', 'down')
      if (url === `${issuer}/.well-known/openid-configuration`) return state.discovery
      if (url === `${issuer}/keys`) return { keys: state.keys }
      throw new GatewayError('upstream_failed', 'not found')
    },
  }
  return { issuer, state, asked, outbound }
}

/** A clock that the test moves and an event log that it reads. */
export function testDeps(now = Date.UTC(2026, 0, 1)) {
  const events: GatewayEvent[] = []
  const time = { now }
  return {
    time,
    events: { emit: (event: GatewayEvent) => void events.push(event) },
    emitted: events,
    clock: { now: () => time.now },
  }
}
