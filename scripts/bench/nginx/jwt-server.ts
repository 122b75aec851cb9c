import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { z } from 'zod'

/**
 * What nginx asks about each request: 204 for a good token of the issuer named on the command line,
 * 401 for anything else. Signature, issuer, audience and expiry, each time, in one process; keys are
 * read once. Prints a line of JSON with its URL once it listens.
 */
const issuer = process.argv[2] ?? ''

const Jwks = z.object({
  keys: z.array(
    z.object({ kty: z.string(), crv: z.string(), x: z.string(), y: z.string(), kid: z.string() }),
  ),
})
const Header = z.object({ alg: z.literal('ES256'), kid: z.string() })
const Claims = z.object({ iss: z.string(), aud: z.string(), exp: z.number() })

const published = await (await fetch(`${issuer}/.well-known/jwks.json`)).json()
const keys = new Map<string, KeyObject>(
  Jwks.parse(published).keys.map((jwk) => [jwk.kid, createPublicKey({ key: jwk, format: 'jwk' })]),
)

const server = createServer((request, response) => {
  request.resume()
  response.writeHead(isGood(request) ? 204 : 401, { 'content-length': '0' }).end()
})
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  console.log(JSON.stringify({ ready: true, host: `127.0.0.1:${port}` }))
})

function isGood({ headers }: IncomingMessage): boolean {
  const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? ''
  const [head = '', payload = '', signature = ''] = token.split('.')
  try {
    const { kid } = Header.parse(json(head))
    const { iss, aud, exp } = Claims.parse(json(payload))
    const key = keys.get(kid)
    if (!key || iss !== issuer || aud !== issuer || exp * 1000 < Date.now()) return false
    const data = Buffer.from(`${head}.${payload}`)
    const signed = Buffer.from(signature, 'base64url')
    return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signed)
  } catch {
    return false
  }
}

function json(part: string): unknown {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}
