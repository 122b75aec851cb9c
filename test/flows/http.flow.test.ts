import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import {
  createTestGateway,
  modern,
  PUBLIC_URL,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const APP = 'https://app.example.com'
const EVIL = 'https://evil.example.com'
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const PATHS = [
  '/',
  '/health',
  '/openapi.json',
  '/.well-known/jwks.json',
  '/.well-known/oauth-protected-resource',
  '/.well-known/oauth-protected-resource/shop/mcp',
  '/api/v1/servers',
  '/api/v1/no-such-route',
  '/shop/mcp',
  '/no/such/path',
]

const upstream = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])

let gateway: TestGateway
let token: string

beforeAll(async () => {
  gateway = createTestGateway({
    seams: { fetcher: upstream.fetcher },
    vars: { ALLOWED_ORIGINS: APP },
  })
  token = await gateway.token()
  const server = {
    path: 'shop',
    name: 'Shop',
    endpoints: [{ url: 'https://shop.example/mcp' }],
  }
  const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
  expect(created.status).toBe(201)
})

beforeEach(() => {
  upstream.seen.length = 0
})

async function expectProblem(response: Response, status: number, code: string) {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = (await response.json()) as Record<string, unknown>
  expect(problem).toMatchObject({
    type: `urn:gatehouse:error:${code}`,
    title: expect.stringMatching(/./),
    status,
    code,
    detail: expect.stringMatching(/\.$/),
    fix: expect.stringMatching(/./),
    requestId: response.headers.get('x-request-id'),
  })
  expect(response.status).toBe(status)
  return problem
}

describe('a foreign Host (ATTACKS 12)', () => {
  // req: host-403
  it.each(METHODS)('is 403 on every path for %s, whoever asks', async (method) => {
    for (const path of PATHS) {
      for (const host of ['evil.example.com', 'gatehouse.test.evil.example.com', '127.0.0.1']) {
        const headers = { host, authorization: `Bearer ${token}`, origin: APP }
        const response = await gateway.fetch(path, { method, headers })
        expect(response.status, `${path} ${host}`).toBe(403)
        expect(response.headers.get('access-control-allow-origin')).toBeNull()
        if (method !== 'HEAD') await expectProblem(response, 403, 'host_forbidden')
      }
    }
    expect(upstream.seen).toEqual([])
  })

  it('is not named by another header', async () => {
    const spoofed = { host: 'evil.example.com', 'x-forwarded-host': new URL(PUBLIC_URL).host }
    expect((await gateway.fetch('/health', { headers: spoofed })).status).toBe(403)
    const claimed = { 'x-forwarded-host': 'evil.example.com', forwarded: 'host=evil.example.com' }
    expect((await gateway.fetch('/health', { headers: claimed })).status).toBe(200)
  })

  it('is judged by the URL where there is no Host header', async () => {
    const response = await gateway.fetch('http://evil.example.com/health')
    await expectProblem(response, 403, 'host_forbidden')
  })

  it('is not one that ALLOWED_HOSTS names, in any case', async () => {
    const wider = createTestGateway({ vars: { ALLOWED_HOSTS: 'Gate.Example.com:8443' } })
    const response = await wider.fetch('/health', { headers: { host: 'GATE.example.com:8443' } })
    expect(response.status).toBe(200)
    const other = await wider.fetch('/health', { headers: { host: 'gate.example.com' } })
    expect(other.status).toBe(403)
  })
})

describe('a foreign Origin (ATTACKS 12)', () => {
  // req: origin-403
  it.each(METHODS)('is 403 on every path for %s, without CORS headers', async (method) => {
    for (const path of PATHS) {
      for (const origin of [
        EVIL,
        'null',
        `${APP}.evil.com`,
        `${APP}:8443`,
        APP.toUpperCase(),
        '',
      ]) {
        const headers = { origin, authorization: `Bearer ${token}` }
        const response = await gateway.fetch(path, { method, headers })
        expect(response.status, `${path} ${origin}`).toBe(403)
        const names = [...response.headers.keys()]
        expect(names.filter((name) => name.startsWith('access-control-'))).toEqual([])
        if (method !== 'HEAD') await expectProblem(response, 403, 'origin_forbidden')
      }
    }
    expect(upstream.seen).toEqual([])
  })
})

describe('an allowed Origin', () => {
  // req: cors-headers
  // req: cors-no-credentials
  it.each([
    ['/health', 200],
    ['/no/such/path', 404],
    ['/api/v1/me', 401],
    ['/shop/mcp', 401],
  ])('may read %s (%i), never with credentials or for everyone', async (path, status) => {
    for (const origin of [APP, PUBLIC_URL]) {
      const response = await gateway.fetch(path, { headers: { origin } })
      expect(response.status).toBe(status)
      expect(response.headers.get('access-control-allow-origin')).toBe(origin)
      expect(response.headers.get('access-control-allow-credentials')).toBeNull()
      expect(response.headers.get('vary')).toContain('Origin')
      const exposed = response.headers.get('access-control-expose-headers')?.toLowerCase()
      for (const name of ['mcp-session-id', 'www-authenticate', 'retry-after', 'x-request-id']) {
        expect(exposed).toContain(name)
      }
    }
  })

  it('reads the answer of a call, JSON and stream alike', async () => {
    for (const answersBy of ['json', 'sse'] as const) {
      upstream.answersBy = answersBy
      const init = modern(token, 'tools/list', {}, { origin: APP })
      const response = await gateway.fetch('/shop/mcp', init)
      expect(response.status).toBe(200)
      expect(response.headers.get('access-control-allow-origin')).toBe(APP)
      await response.text()
    }
    upstream.answersBy = 'json'
  })

  // req: cors-headers
  // req: cors-no-credentials
  it('gets a preflight that lists methods and headers, without a token', async () => {
    for (const path of PATHS) {
      const response = await gateway.fetch(path, {
        method: 'OPTIONS',
        headers: {
          origin: APP,
          'access-control-request-method': 'POST',
          'access-control-request-headers':
            'authorization, Mcp-Param-Region, mcp-method, x-evil, mcp-param-a"b',
        },
      })
      expect(response.status).toBe(204)
      expect(response.headers.get('access-control-allow-origin')).toBe(APP)
      expect(response.headers.get('access-control-allow-credentials')).toBeNull()
      expect(response.headers.get('access-control-allow-methods')).toBe(
        'GET, POST, PUT, PATCH, DELETE, OPTIONS',
      )
      const allowed = response.headers.get('access-control-allow-headers')?.split(', ') ?? []
      expect(allowed).toEqual(
        expect.arrayContaining([
          'authorization',
          'content-type',
          'mcp-method',
          'mcp-name',
          'mcp-param-region',
          'mcp-protocol-version',
          'mcp-session-id',
          'x-authorization',
        ]),
      )
      expect(allowed.filter((name) => /evil|"|\*/.test(name))).toEqual([])
      expect(await response.text()).toBe('')
    }
  })

  it('is not needed: without an Origin there are no CORS headers', async () => {
    for (const method of ['GET', 'OPTIONS']) {
      const response = await gateway.fetch('/health', { method })
      expect(response.ok).toBe(true)
      const names = [...response.headers.keys()]
      expect(names.filter((name) => name.startsWith('access-control-'))).toEqual([])
    }
  })
})

describe('what anyone may read', () => {
  it('/health counts, and names nobody', async () => {
    const response = await gateway.fetch('/health')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      status: 'ok',
      d1: 'ok',
      servers: {
        healthy: expect.any(Number),
        unhealthy: expect.any(Number),
        unknown: expect.any(Number),
      },
    })
  })

  it('/health is 503 while D1 fails, without saying how', async () => {
    const broken = new Proxy({} as D1Database, {
      get() {
        throw new Error('no such table: secrets')
      },
    })
    const failing = createTestGateway({ bindings: { DB: broken } })
    const response = await failing.fetch('/health')
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ status: 'failing', d1: 'failing' })
  })

  it('/.well-known/jwks.json holds the public key alone, and may be cached', async () => {
    const response = await gateway.fetch('/.well-known/jwks.json')
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    const { keys } = (await response.json()) as { keys: Record<string, unknown>[] }
    expect(keys).toHaveLength(1)
    expect(keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' })
    const secret = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
    for (const key of keys) {
      expect(Object.keys(key).filter((member) => secret.includes(member))).toEqual([])
    }
  })

  it.each(PATHS)('%s says who it is for: no sniffing, and the id to quote', async (path) => {
    const response = await gateway.fetch(path, { headers: { 'x-request-id': 'my-request-1' } })
    expect(response.headers.get('x-request-id')).toBe('my-request-1')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('set-cookie')).toBeNull()
    const invented = await gateway.fetch(path, { headers: { 'x-request-id': 'a b<script>' } })
    expect(invented.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('a path that is not there', () => {
  it.each([
    '/',
    '/no/such/path',
    '/api/v1',
    '/api/v1/',
    '/api/v2/servers',
    '/api/v1/servers/shop/no-such',
    '/mcp/',
    '/shop',
    '/shop/mcp/',
    '/shop/mcp/x',
    '/shop//mcp',
    '/.well-known/openid-configuration',
    '/.well-known/oauth-protected-resource/shop',
    '/..%2f..%2fetc%2fpasswd',
    '/%00',
    `/${'x'.repeat(4_000)}`,
  ])('%s is a 404 problem, for nobody and for an administrator', async (path) => {
    for (const headers of [{}, { authorization: `Bearer ${token}` }] as HeadersInit[]) {
      const problem = await expectProblem(await gateway.fetch(path, { headers }), 404, 'not_found')
      expect(JSON.stringify(problem)).not.toContain('passwd')
    }
  })

  it.each(['/api/mcp', '/Shop/mcp', '/sh%6Fp%2F/mcp', '/../shop.x/mcp', '/-a/mcp'])(
    '%s is no MCP endpoint, in the words of MCP',
    async (path) => {
      const response = await gateway.fetch(path, modern(token, 'tools/list'))
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({
        jsonrpc: '2.0',
        id: null,
        error: { code: -31006, data: { code: 'not_found' } },
      })
    },
  )
})
