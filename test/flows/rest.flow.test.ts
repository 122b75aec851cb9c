import { Validator } from '@cfworker/json-schema'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, PUBLIC_URL, rest, type TestGateway } from '../support/gateway.ts'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly security?: object[]
  readonly parameters?: { name: string; in: string; required?: boolean; schema: object }[]
  readonly requestBody?: { content: Record<string, { schema: object }> }
  readonly responses: Record<string, { description: string; content?: Record<string, unknown> }>
}
interface Document {
  readonly openapi: string
  readonly info: Record<string, unknown>
  readonly servers: { url: string }[]
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { schemas: Record<string, object>; securitySchemes: object }
}

const upstream = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
const SERVER = { path: 'shop', name: 'Shop', endpoints: [{ url: 'https://shop.example/mcp' }] }

let gateway: TestGateway
let token: string

beforeAll(async () => {
  gateway = createTestGateway({ seams: { fetcher: upstream.fetcher } })
  token = await gateway.token()
  const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', SERVER))
  expect(created.status).toBe(201)
})

beforeEach(() => {
  upstream.seen.length = 0
})

async function expectProblem(response: Response, status: number, code: string) {
  const problem = (await response.json()) as Record<string, unknown>
  expect(problem).toMatchObject({ status, code, requestId: response.headers.get('x-request-id') })
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(response.status).toBe(status)
  return problem
}

describe('/openapi.json', () => {
  let document: Document
  let operations: [path: string, method: string, operation: Operation][]

  beforeAll(async () => {
    const response = await gateway.fetch('/openapi.json')
    expect(response.status).toBe(200)
    document = await response.json()
    operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]): [string, string, Operation] => [
        path,
        method,
        operation,
      ]),
    )
  })

  it('is OpenAPI 3.1 of this gateway', () => {
    expect(document.openapi).toBe('3.1.0')
    expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) })
    expect(document.servers).toEqual([{ url: `${PUBLIC_URL}/api/v1` }])
    expect(document.components.securitySchemes).toEqual({
      bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    })
  })

  it('has for every operation a unique id, a summary, its parameters and its answers', () => {
    const ids = operations.map(([, , { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).not.toContain(undefined)
    for (const [path, method, operation] of operations) {
      expect(operation.summary, `${method} ${path}`).toMatch(/./)
      expect(operation.security).toEqual([{ bearer: [] }])
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
      expect(declared.map(({ name }) => name)).toEqual(named)
      expect(declared.every(({ required }) => required)).toBe(true)
      expect(
        Object.keys(operation.responses).filter((status) => /^2\d\d$/.test(status)),
      ).not.toEqual([])
      for (const status of ['400', '401', '403', '429']) {
        expect(operation.responses[status]?.content).toHaveProperty(['application/problem+json'])
      }
      for (const { description } of Object.values(operation.responses)) {
        expect(description).toMatch(/./)
      }
    }
  })

  it('refers only to what is there, and keeps to the words of 3.1', () => {
    const visit = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(visit)
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return
      for (const [key, member] of Object.entries(value)) {
        if (key === '$ref') expect(resolve(document, String(member)), String(member)).toBeDefined()
        if (key === 'pattern') {
          // A pattern has no delimiters and no flags (JSON Schema 2020-12, Regular expressions).
          expect(String(member)).not.toMatch(/^\/|\/[a-z]*$/)
          expect(() => new RegExp(String(member), 'u')).not.toThrow()
        }
        if (key === 'nullable') expect(typeof member).not.toBe('boolean')
        if (key === 'exclusiveMinimum') expect(typeof member).not.toBe('boolean')
        visit(member)
      }
    }
    visit(document)
  })

  it('has schemas that take what the gateway takes and gives, and refuse what it refuses', async () => {
    const validate = (name: string, value: unknown) => {
      const schema = { $ref: `#/components/schemas/${name}`, components: document.components }
      return new Validator(schema as object, '2020-12').validate(value)
    }
    const valid = { valid: true, errors: [] }
    expect(validate('ServerInput', SERVER)).toEqual(valid)
    expect(validate('ServerInput', { ...SERVER, extra: 1 }).valid).toBe(false)
    expect(validate('ServerInput', { ...SERVER, path: 'No' }).valid).toBe(false)
    expect(validate('ServerInput', { ...SERVER, endpoints: [] }).valid).toBe(false)
    const get = async (path: string) => (await gateway.fetch(path, rest(token, 'GET'))).json()
    expect(validate('Server', await get('/api/v1/servers/shop'))).toEqual(valid)
    expect(validate('ServerPage', await get('/api/v1/servers'))).toEqual(valid)
    expect(validate('ToolPage', await get('/api/v1/servers/shop/tools'))).toEqual(valid)
    expect(validate('ServerHealth', await get('/api/v1/servers/shop/health'))).toEqual(valid)
    expect(validate('Me', await get('/api/v1/me'))).toEqual(valid)
    expect(validate('PolicySeed', await get('/api/v1/policy'))).toEqual(valid)
    expect(validate('LimitRuleList', await get('/api/v1/limits'))).toEqual(valid)
    expect(validate('LimitUsage', await get('/api/v1/limits/usage'))).toEqual(valid)
    expect(validate('Problem', await get('/api/v1/servers/none'))).toEqual(valid)
  })

  it('describes every route that is served, and only those', async () => {
    const candidates = [
      ...['/me', '/policy', '/servers', '/servers/{path}'],
      ...['toggle', 'refresh', 'tools', 'health'].map((verb) => `/servers/{path}/${verb}`),
      ...['/virtual-servers', '/virtual-servers/{path}'],
      ...['toggle', 'repin'].map((verb) => `/virtual-servers/{path}/${verb}`),
      ...['/services', '/services/{id}', '/services/{id}/health'],
      ...['/discovery/resources', '/discovery/tools'],
      ...['/limits', '/limits/usage', '/limits/{id}'],
      ...['/mcp/servers/connect', '/mcp/sessions/{id}', '/mcp/sessions/{id}/info'],
      ...['tools', 'resources', 'prompts'].map((list) => `/mcp/sessions/{id}/${list}`),
      ...['tools/call', 'resources/read'].map((verb) => `/mcp/sessions/{id}/${verb}`),
    ]
    // Served at the root, as its own entry of the document says.
    const { '/mcp/tools': allTools, ...paths } = document.paths
    expect(allTools).toMatchObject({ get: { servers: [{ url: '/' }] } })
    expect(Object.keys(paths).sort()).toEqual(candidates.sort())
    for (const path of candidates) {
      for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
        // `usage` is read alone; to every other method it is an id like any.
        const at = method === 'get' ? path : path.replace('/usage', '/{id}')
        const isDescribed = document.paths[at]?.[method] !== undefined
        const url = `/api/v1${path.replace(/\{(path|id)\}/, 'shop')}`
        const response = await gateway.fetch(url, { method: method.toUpperCase() })
        const status = `${method} ${path}: ${response.status}`
        expect(status).toBe(`${method} ${path}: ${isDescribed ? 401 : 404}`)
      }
    }
  })
})

/** What a local reference points to. */
function resolve(document: unknown, ref: string): unknown {
  return ref
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>(
      (value, part) => (value as Record<string, unknown> | undefined)?.[part],
      document,
    )
}

describe('a management body', () => {
  const WRITES: [method: string, path: string][] = [
    ['POST', '/servers'],
    ['PUT', '/servers/shop'],
    ['PATCH', '/servers/shop'],
    ['POST', '/servers/shop/toggle'],
    ['PUT', '/policy'],
    ['POST', '/limits'],
    ['POST', '/virtual-servers'],
  ]
  const send = (method: string, path: string, body: BodyInit, type = 'application/json') =>
    gateway.fetch(`/api/v1${path}`, {
      method,
      body,
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
    })

  it.each(WRITES)('of %s %s is refused when it is not said to be JSON', async (method, path) => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
      const response = await send(method, path, '{}', type)
      await expectProblem(response, 415, 'unsupported_media_type')
    }
  })

  it.each(WRITES)('of %s %s is refused when it is no JSON', async (method, path) => {
    for (const body of ['{', 'x', '{"a":1}}', "{'a':1}", '\u0000', '\ufeff{}', '[1,]', 'NaN']) {
      await expectProblem(await send(method, path, body), 400, 'parse_error')
    }
    const noUtf8 = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])
    await expectProblem(await send(method, path, noUtf8), 400, 'parse_error')
  })

  it.each(WRITES)('of %s %s is refused when it is no object', async (method, path) => {
    for (const body of ['[]', '[{}]', 'null', '"x"', '1', 'true']) {
      await expectProblem(await send(method, path, body), 400, 'invalid_params')
    }
  })

  it.each(WRITES)('of %s %s is refused above 1 MiB, declared or streamed', async (method, path) => {
    const body = `{"name":"${'x'.repeat(1024 * 1024)}"}`
    await expectProblem(await send(method, path, body), 413, 'body_too_large')
    const stream = new Blob([body]).stream()
    await expectProblem(await send(method, path, stream), 413, 'body_too_large')
  })

  it.each(WRITES)('of %s %s is refused when it names a member twice', async (method, path) => {
    for (const body of [
      '{"name":"a","name":"b"}',
      '{"name":"a","n\\u0061me":"b"}',
      '{"tags":[{"a":1,"a":1}]}',
    ]) {
      const problem = await expectProblem(await send(method, path, body), 400, 'parse_error')
      expect(problem).toMatchObject({ detail: expect.stringContaining('stands twice') })
    }
  })

  it.each(WRITES)('of %s %s is refused when it is nested deeper than 64', async (method, path) => {
    const body = `{"tags":${'['.repeat(64)}${']'.repeat(64)}}`
    const problem = await expectProblem(await send(method, path, body), 400, 'parse_error')
    expect(problem).toMatchObject({ detail: 'The body was refused: it is nested deeper than 64.' })
  })

  it.each(WRITES)('of %s %s may be nested as deep as it likes: 400', async (method, path) => {
    const depth = 100_000
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const deep = `${open.repeat(depth)}1${close.repeat(depth)}`
      for (const body of [deep, `{"tags":${deep}}`, `{"enabled":${deep}}`]) {
        await expectProblem(await send(method, path, body), 400, 'parse_error')
      }
    }
  })

  it.each(WRITES)('of %s %s is refused with members that nobody knows', async (method, path) => {
    for (const member of [
      'extra',
      '__proto__',
      'constructor',
      'isAdmin',
      'tenant',
      'owner',
      'id',
    ]) {
      const response = await send(method, path, `{"${member}":"x"}`)
      const problem = await expectProblem(response, 400, 'invalid_params')
      expect(problem).toMatchObject({ problems: expect.any(Array) })
    }
  })

  it('that was refused stored nothing and asked nobody; the next request is served', async () => {
    expect(upstream.seen).toEqual([])
    const listed = await gateway.fetch('/api/v1/servers', rest(token, 'GET'))
    expect(await listed.json()).toMatchObject({ servers: [{ path: 'shop', enabled: true }] })
  })
})

describe('a management query', () => {
  it.each<[string, string]>([
    ['GET', '/servers?x=1'],
    ['GET', '/servers?limit=1&limit=2'],
    ['GET', '/servers?limit=0'],
    ['GET', '/servers?limit=101'],
    ['GET', '/servers?limit=1e9'],
    ['GET', '/servers?cursor=stale'],
    ['GET', '/servers?health=fine'],
    ['GET', '/servers?tenant=other'],
    ['GET', '/servers/shop?x=1'],
    ['GET', '/servers/shop/tools?x=1'],
    ['GET', '/servers/shop/health?x'],
    ['GET', '/me?as=root'],
    ['GET', '/policy?x=1'],
    ['PUT', '/policy?x=1'],
    ['POST', '/servers?allowUnreachable=yes'],
    ['POST', '/servers?force=true'],
    ['PUT', '/servers/shop?x=1'],
    ['PATCH', '/servers/shop?x=1'],
    ['DELETE', '/servers/shop?force=true'],
    ['POST', '/servers/shop/toggle?enabled=false'],
    ['POST', '/servers/shop/refresh?x=1'],
  ])('that says what nobody knows is refused: %s %s', async (method, path) => {
    const body = method === 'GET' || method === 'DELETE' ? undefined : {}
    const response = await gateway.fetch(`/api/v1${path}`, rest(token, method, body))
    const code = path.includes('cursor') ? 'invalid_cursor' : 'invalid_params'
    const problem = await expectProblem(response, 400, code)
    if (code === 'invalid_params') expect(problem['problems']).not.toEqual([])
  })
})

describe('the management rate limit', () => {
  it('is a 429 problem that says how long to wait, for this principal alone', async () => {
    const clock = { now: () => 1_800_000_000_000 }
    const limited = createTestGateway({
      vars: { LIMIT_PRINCIPAL_PER_MINUTE: '3' },
      seams: { clock, fetcher: upstream.fetcher },
    })
    const root = await limited.token()
    const me = () => limited.fetch('/api/v1/me', rest(root, 'GET'))
    for (let index = 0; index < 3; index += 1) expect((await me()).status).toBe(200)
    const response = await me()
    const seconds = Number(response.headers.get('retry-after'))
    expect(response.headers.get('cache-control')).toBe('no-store')
    const problem = await expectProblem(response, 429, 'rate_limited')
    expect(problem).toMatchObject({ scope: 'principal', retryAfterSeconds: seconds })
    expect(seconds).toBeGreaterThanOrEqual(1)
    expect(seconds).toBeLessThanOrEqual(120)
    const other = await limited.token({ subject: 'someone-else' })
    expect((await limited.fetch('/api/v1/me', rest(other, 'GET'))).status).toBe(200)
    expect((await limited.fetch('/health')).status).toBe(200)
  })

  it('counts a refused write too, and stores nothing of what it refused', async () => {
    const clock = { now: () => 1_800_000_000_000 }
    const limited = createTestGateway({
      vars: { LIMIT_TENANT_PER_MINUTE: '2' },
      seams: { clock, fetcher: upstream.fetcher },
    })
    const root = await limited.token()
    const register = (path: string) =>
      limited.fetch('/api/v1/servers', rest(root, 'POST', { ...SERVER, path }))
    expect((await register('API')).status).toBe(400)
    expect((await register('one')).status).toBe(201)
    upstream.seen.length = 0
    const problem = await expectProblem(await register('two'), 429, 'rate_limited')
    expect(problem).toMatchObject({ scope: 'tenant' })
    expect(upstream.seen).toEqual([])
  })
})
