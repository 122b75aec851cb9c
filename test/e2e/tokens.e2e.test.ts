import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { callModern, messageOf, type Stack, startStack } from '../support/e2e.ts'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'

let modern: ModernServer
beforeAll(async () => {
  modern = await startModernServer()
})
afterAll(() => modern.stop())

// Fresh isolates, which know no key yet.
let stack: Stack
beforeEach(async () => {
  stack = await startStack()
  await stack.register('modern', modern.url)
  return () => stack.stop()
})

const HEADERS = { 'x-request-id': 'e2e-request' }
const call = (token: string) =>
  callModern(stack.mcp('modern'), token, 'echo', { message: 'hi' }, HEADERS)

/** Everything that a refused caller gets to see. */
async function refusalOf(response: Response) {
  const { status, headers } = response
  return {
    status,
    challenge: headers.get('www-authenticate'),
    type: headers.get('content-type'),
    body: await response.text(),
  }
}

const refused = (reason: string, message: string, fix: string) => ({
  status: 401,
  challenge:
    `Bearer resource_metadata="${stack.gateway.url}/.well-known/oauth-protected-resource/modern/mcp", ` +
    `error="invalid_token", error_description="${message}"`,
  type: 'application/json',
  body:
    `{"jsonrpc":"2.0","id":null,"error":{"code":-31001,"message":"${message}",` +
    `"data":{"reason":"${reason}","code":"unauthenticated","fix":"${fix}","requestId":"e2e-request"}}}`,
})
const unknownKey = () =>
  refused(
    'unknown_key',
    'The token is signed with a key its issuer does not publish.',
    'Sign in again.',
  )

describe('when the identity provider rotates its keys', () => {
  it('accepts a token under the new key at once, and none under the old', async () => {
    const [used, unused] = await Promise.all([
      stack.idp.token('user-service'),
      stack.idp.token('user-service'),
    ])
    expect((await call(used)).status).toBe(200)
    await stack.idp.rotateKeys()
    const fresh = await call(await stack.idp.token('user-service'))
    expect(fresh.status).toBe(200)
    expect(await messageOf(fresh)).toMatchObject({ result: { content: [{ text: 'Echo: hi' }] } })
    expect(await refusalOf(await call(unused))).toEqual(unknownKey())
    // A token that was verified is good for a minute without asking (DESIGN.md, Decision 4).
    expect((await call(used)).status).toBe(200)
  })

  it('asks once in 30 seconds, whatever keys strangers name', async () => {
    const stray = await stack.idp.token('user-service')
    await stack.idp.rotateKeys()
    expect((await call(await stack.idp.token('user-service'))).status).toBe(200)
    // Under a key that is not published any more: the gateway asks, and finds none.
    expect(await refusalOf(await call(stray))).toEqual(unknownKey())
    await stack.idp.rotateKeys()
    expect(await refusalOf(await call(await stack.idp.token('user-service')))).toEqual(unknownKey())
  })
})

describe('a token that is no longer good', () => {
  it('is refused at an MCP endpoint as JSON-RPC, saying why', async () => {
    const late = await stack.idp.token('late-service')
    expect(await refusalOf(await call(late))).toEqual(
      refused('expired', 'The token has expired.', 'Get a new token.'),
    )
  })

  it('is refused by the REST API as a problem document', async () => {
    const late = await stack.idp.token('late-service')
    const response = await fetch(`${stack.gateway.url}/api/v1/me`, {
      headers: { authorization: `Bearer ${late}`, ...HEADERS },
    })
    const { body, ...rest } = await refusalOf(response)
    expect(rest).toEqual({
      status: 401,
      challenge:
        `Bearer resource_metadata="${stack.gateway.url}/.well-known/oauth-protected-resource", ` +
        'error="invalid_token", error_description="The token has expired."',
      type: 'application/problem+json',
    })
    expect(JSON.parse(body)).toEqual({
      type: 'urn:gatehouse:error:unauthenticated',
      title: 'Not authenticated',
      status: 401,
      code: 'unauthenticated',
      detail: 'The token has expired.',
      reason: 'expired',
      fix: 'Get a new token.',
      requestId: 'e2e-request',
    })
  })

  it('never reaches an upstream', async () => {
    modern.requests.length = 0
    await call(await stack.idp.token('late-service'))
    expect(modern.requests).toEqual([])
  })
})
