import { checkResourceAllowed } from '@modelcontextprotocol/sdk/shared/auth-utils.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { RESERVED_PATHS } from '../../src/core/index.ts'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, PUBLIC_URL, rest, type TestGateway } from '../support/gateway.ts'
import { looksOf, REQUEST_ID, SHOP_TOOLS, setUp } from '../support/shop.ts'
import { openSse, type SseClient } from '../support/sse-client.ts'

const upstream = createFakeUpstream(SHOP_TOOLS)
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
const MAX_BODY_BYTES = 4_096

describe('who may use HTTP with SSE', () => {
  let gateway: TestGateway
  let admin: string
  let clerk: string
  let stream: SseClient

  beforeAll(async () => {
    gateway = createTestGateway({
      seams: { fetcher: upstream.fetcher },
      vars: { MAX_BODY_BYTES: String(MAX_BODY_BYTES) },
    })
    admin = await gateway.token()
    await setUp(gateway, admin)
    clerk = await gateway.token({ subject: 'cleo', groups: ['clerks'] })
    stream = await openSse(gateway, clerk, '/shop/sse')
    await stream.greet()
  })

  const get = (path: string, token?: string, headers: Record<string, string> = {}) =>
    gateway.fetch(path, {
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...{ accept: 'text/event-stream', ...REQUEST_ID, ...headers },
      },
    })
  const post = (path: string, token?: string, body = PING, headers: Record<string, string> = {}) =>
    gateway.fetch(path, {
      method: 'POST',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...{ 'content-type': 'application/json', ...REQUEST_ID, ...headers },
      },
      body,
    })
  const codeOf = async (response: Response): Promise<unknown> => [
    response.status,
    (await response.json<{ error: { data: { code: string } } }>()).error.data.code,
  ]

  describe('without a good token', () => {
    const url = (path: string) => `${PUBLIC_URL}/.well-known/oauth-protected-resource${path}`

    it.each([
      ['/sse', '/sse'],
      ['/shop/sse', '/shop/sse'],
      ['/nowhere/sse', '/nowhere/sse'],
    ])('GET %s is 401 and names its own metadata', async (path, resource) => {
      const response = await get(path)
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer resource_metadata="${url(resource)}"`,
      )
    })

    it.each([
      ['/messages?sessionId=x', '/sse'],
      ['/shop/messages', '/shop/sse'],
    ])('POST %s is 401 before anything else', async (path, resource) => {
      const response = await post(path, undefined, '{')
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer resource_metadata="${url(resource)}"`,
      )
    })

    it.each(['expired', 'for elsewhere', "another server's"])('%s is 401', async (which) => {
      const token = await gateway.token(
        {
          expired: { ttlSeconds: -60 },
          'for elsewhere': { audience: 'https://else.example' },
          "another server's": { audience: `${PUBLIC_URL}/hidden/mcp` },
        }[which],
      )
      expect((await get('/shop/sse', token)).status).toBe(401)
      expect((await post(stream.endpoint, token)).status).toBe(401)
    })
  })

  describe('the metadata of a stream', () => {
    it.each([
      ['/sse', 'Gatehouse'],
      ['/shop/sse', 'Gatehouse: shop'],
      ['/nowhere/sse', 'Gatehouse: nowhere'],
    ])('of %s is that of a resource that clients accept for it', async (path, name) => {
      const response = await gateway.fetch(`/.well-known/oauth-protected-resource${path}`)
      const metadata = await response.json<{ resource: string; resource_name: string }>()
      expect(metadata).toMatchObject({ resource: `${PUBLIC_URL}${path}`, resource_name: name })
      const requestedResource = `${PUBLIC_URL}${path}`
      const check = { requestedResource, configuredResource: metadata.resource }
      expect(checkResourceAllowed(check)).toBe(true)
    })

    it('is none for a name that no server may have', async () => {
      const response = await gateway.fetch('/.well-known/oauth-protected-resource/api/sse')
      expect(response.status).toBe(404)
    })
  })

  it.each([
    ['/shop/sse', '/shop/mcp'],
    ['/shop/sse', '/shop/sse'],
    ['/sse', '/mcp'],
    ['/sse', '/sse'],
  ])('a token is good at %s that is for %s', async (path, audience) => {
    const token = await gateway.token({ audience: `${PUBLIC_URL}${audience}` })
    const client = await openSse(gateway, token, path)
    expect((await client.post(PING)).status).toBe(202)
    await client.leave()
  })

  it('a token without the OAuth scope is 403 with a challenge for the stream', async () => {
    const token = await gateway.token({ scopes: ['gatehouse:manage'] })
    const response = await get('/shop/sse', token)
    expect(response.status).toBe(403)
    expect(response.headers.get('www-authenticate')).toMatch(
      /resource_metadata="[^"]*oauth-protected-resource\/shop\/sse", error="insufficient_scope"/,
    )
  })

  it('what one may not see reads like what does not exist', async () => {
    const missing = await looksOf(await get('/nowhere/sse', clerk), 'nowhere')
    expect(missing.status).toBe(404)
    for (const path of ['hidden', 'off', 'mine', 'ours']) {
      expect(await looksOf(await get(`/${path}/sse`, clerk), path)).toEqual(missing)
    }
    expect((await get('/api/sse', clerk)).status).toBe(404)
  })

  it("is nobody else's: a foreign stream reads like an unknown one", async () => {
    const unknown = await looksOf(await post('/shop/messages?sessionId=unknown', clerk), 'x')
    expect(unknown.status).toBe(404)
    const { endpoint } = stream
    const sameSubject = { subject: 'cleo', groups: ['clerks'] }
    const elsewhere = createTestGateway({ seams: { fetcher: upstream.fetcher } })
    for (const [path, token] of [
      // Another principal, another tenant, another path.
      [endpoint, admin],
      [endpoint, await elsewhere.token(sameSubject)],
      [endpoint.replace('/shop/', '/hidden/'), clerk],
      [endpoint.replace('/shop/', '/'), clerk],
      [`${endpoint}x`, clerk],
      [`${endpoint.slice(0, -2)}`, clerk],
      ['/shop/messages?sessionId=', clerk],
    ] as const) {
      const looks = await looksOf(await post(path, token), 'x')
      expect(looks, path).toEqual(unknown)
    }
    expect(await codeOf(await post('/shop/messages', clerk))).toEqual([400, 'session_required'])
  })

  // req: session-404-first
  it('a stream that is gone is 404 before the body is looked at', async () => {
    const response = await post('/shop/messages?sessionId=unknown', clerk, 'x'.repeat(10_000))
    expect(await codeOf(response)).toEqual([404, 'session_not_found'])
  })

  it.each<[string, string, number, string]>([
    ['no JSON', '{"jsonrpc":', 400, 'parse_error'],
    ['a member twice', '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 400, 'parse_error'],
    ['an empty batch', '[]', 400, 'invalid_request'],
    [
      'a batch with a handshake',
      `[{"jsonrpc":"2.0","id":1,"method":"initialize"}]`,
      400,
      'invalid_request',
    ],
    ['no message', '{"jsonrpc":"2.0"}', 400, 'invalid_request'],
    ['no object', '"ping"', 400, 'invalid_request'],
    ['too deep', `${'['.repeat(100)}${']'.repeat(100)}`, 400, 'parse_error'],
    ['too large', JSON.stringify({ text: 'x'.repeat(MAX_BODY_BYTES) }), 413, 'body_too_large'],
  ])(
    'a body that is %s is refused, and nothing is handed on',
    async (_title, body, ...expected) => {
      gateway.events.length = 0
      expect(await codeOf(await post(stream.endpoint, clerk, body))).toEqual(expected)
      expect((await post(stream.endpoint, clerk)).status).toBe(202)
      expect(await stream.next()).toMatchObject({ id: 1, error: { code: -32601 } })
    },
  )

  it('a body is refused that comes in pieces and is too large', async () => {
    const body = new Blob(['x'.repeat(MAX_BODY_BYTES + 1)]).stream()
    const response = await gateway.fetch(stream.endpoint, {
      method: 'POST',
      headers: { authorization: `Bearer ${clerk}`, 'content-type': 'application/json' },
      body,
    })
    expect(response.status).toBe(413)
  })

  it('refuses what the transport does not have', async () => {
    expect(await codeOf(await post('/shop/sse', clerk))).toEqual([405, 'method_not_allowed'])
    expect((await post('/shop/sse', clerk)).headers.get('allow')).toBe('GET')
    expect(await codeOf(await get(stream.endpoint, clerk))).toEqual([405, 'method_not_allowed'])
    expect(await codeOf(await get('/sse', clerk, { accept: 'application/json' }))).toEqual([
      406,
      'not_acceptable',
    ])
    const text = { 'content-type': 'text/plain' }
    expect(await codeOf(await post(stream.endpoint, clerk, PING, text))).toEqual([
      415,
      'unsupported_media_type',
    ])
    const modern = { 'mcp-protocol-version': '2026-07-28' }
    expect(await codeOf(await post(stream.endpoint, clerk, PING, modern))).toEqual([
      400,
      'unsupported_version',
    ])
    const known = { 'mcp-protocol-version': '2024-11-05' }
    expect((await post(stream.endpoint, clerk, PING, known)).status).toBe(202)
    await stream.next()
  })

  // req: origin-403
  it('answers to no foreign Origin', async () => {
    const origin = { origin: 'https://evil.example' }
    for (const path of ['/sse', '/shop/sse', '/messages', stream.endpoint]) {
      expect((await get(path, clerk, origin)).status).toBe(403)
      expect((await post(path, clerk, PING, origin)).status).toBe(403)
    }
  })

  it('leaves its words to itself: no server may be called so', async () => {
    expect(RESERVED_PATHS).toContain('sse')
    expect(RESERVED_PATHS).toContain('messages')
    for (const path of ['sse', 'messages']) {
      const body = { path, name: path, endpoints: [{ url: 'https://a.example/mcp' }] }
      expect((await gateway.fetch('/api/v1/servers', rest(admin, 'POST', body))).status).toBe(400)
    }
  })

  it('judges each message by the token of its POST, not by that of the stream', async () => {
    const strong = await gateway.token({ subject: 'dora', groups: ['clerks'] })
    const client = await openSse(gateway, strong, '/shop/sse')
    await client.greet()
    const weak = await gateway.token({ subject: 'dora', groups: ['listers'] })
    const call = (id: number) => ({
      id,
      method: 'tools/call',
      params: { name: 'list_items', arguments: {} },
    })
    await client.say(call(1), { token: weak })
    expect(await client.next()).toMatchObject({ id: 1, error: { data: { code: 'unknown_tool' } } })
    await client.say(call(2))
    expect(await client.next()).toMatchObject({ id: 2, result: {} })
    await client.leave()
  })

  it('spends a permit for each message, and one for the stream', async () => {
    const limited = createTestGateway({
      seams: { fetcher: upstream.fetcher },
      vars: { LIMIT_PRINCIPAL_PER_MINUTE: '6' },
    })
    const client = await openSse(limited, await limited.token(), '/sse')
    await client.say({ method: 'notifications/x' })
    const batch = JSON.stringify(Array.from({ length: 4 }, () => JSON.parse(PING)))
    expect((await client.post(batch)).status).toBe(202)
    const refused = await client.post(PING)
    expect(await codeOf(refused)).toEqual([429, 'rate_limited'])
    expect(refused.headers.get('retry-after')).not.toBeNull()
    await client.leave()
  })
})
