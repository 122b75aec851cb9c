import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, rest, type TestGateway } from '../support/gateway.ts'
import { registerShop, SHOP } from '../support/shop.ts'

const upstream = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])

let gateway: TestGateway
let token: string

beforeAll(async () => {
  gateway = createTestGateway({ seams: { fetcher: upstream.fetcher } })
  token = await gateway.token()
  await registerShop(gateway, token)
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
      limited.fetch('/api/v1/servers', rest(root, 'POST', { ...SHOP, path }))
    expect((await register('API')).status).toBe(400)
    expect((await register('one')).status).toBe(201)
    upstream.seen.length = 0
    const problem = await expectProblem(await register('two'), 429, 'rate_limited')
    expect(problem).toMatchObject({ scope: 'tenant' })
    expect(upstream.seen).toEqual([])
  })
})
