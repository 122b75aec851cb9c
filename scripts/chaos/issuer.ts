import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { onLoopback } from '../../test/support/loopback.ts'

/** An identity provider of a run: a key set, and tokens signed with the newest key. */
export interface Issuer {
  readonly issuer: string
  /** An access token, good for longer than any run. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>
  /** Signs with a new key from now on; keys before it stay published. */
  rotate(): Promise<void>
  stop(): Promise<void>
}

const TTL_SECONDS = 3_600

/** Starts it on a free port of loopback. Every token has the audience. */
export async function startIssuer(audience: string): Promise<Issuer> {
  const published: JWK[] = []
  let current: { readonly kid: string; readonly key: CryptoKey }

  async function rotate(): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
    const kid = `key-${published.length + 1}`
    published.push({ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' })
    current = { kid, key: privateKey }
  }
  await rotate()

  const server = createServer((request, response) => {
    const isKeys = request.url === '/jwks'
    const document = isKeys ? { keys: published } : { issuer, jwks_uri: `${issuer}/jwks` }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
  })
  const { origin: issuer, stop } = await onLoopback(server)

  return {
    issuer,
    rotate,
    sign: (claims) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: current.kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(`${TTL_SECONDS}s`)
        .sign(current.key),
    stop,
  }
}
