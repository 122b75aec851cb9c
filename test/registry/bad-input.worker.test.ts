import { beforeAll, describe, expect, it } from 'vitest'
import { changesOf, createGateway, VALID } from './gateway.ts'

const gateway = createGateway('registry-bad-input')
const post = (input: unknown) => gateway.send('admins', 'POST', '/servers', input)
const endpoint = (url: string) => ({ ...VALID, endpoints: [{ url }] })

beforeAll(async () => {
  const stored = { ...VALID, path: 'stored' }
  expect((await gateway.send('admins', 'POST', '/servers', stored)).status).toBe(201)
  gateway.asked.length = 0
})

describe('an upstream that may not be called', () => {
  it.each([
    ['http://clock.example/mcp', 'must use https'],
    ['https://10.0.0.1/mcp', 'points to a private address'],
    ['https://192.168.1.1/mcp', 'points to a private address'],
    ['https://167772161/mcp', 'points to a private address'],
    ['https://0x0a000001/mcp', 'points to a private address'],
    ['https://012.0.0.1/mcp', 'points to a private address'],
    ['https://[::1]/mcp', 'points to a private address'],
    ['https://[::ffff:10.0.0.1]/mcp', 'points to a private address'],
    ['https://[::ffff:a00:1]/mcp', 'points to a private address'],
    ['https://[fe80::1]/mcp', 'points to a private address'],
    ['https://localhost/mcp', 'points to a private address'],
    ['https://intranet/mcp', 'points to a private address'],
    ['https://x.internal/mcp', 'points to a private address'],
    ['https://169.254.169.254/latest', 'points to a cloud metadata service'],
    ['https://2852039166/latest', 'points to a cloud metadata service'],
    ['https://0xa9fea9fe/latest', 'points to a cloud metadata service'],
    ['https://0251.0376.0251.0376/latest', 'points to a cloud metadata service'],
    ['https://[::ffff:169.254.169.254]/', 'points to a cloud metadata service'],
    ['https://metadata.google.internal/', 'points to a cloud metadata service'],
    ['https://user:secret@clock.example/', 'must not carry credentials'],
    ['https://clock.example/mcp?api_key=s3cret', 'must not carry a credential ("api_key")'],
    ['https://clock.example/mcp?a=1&X-Token=s', 'must not carry a credential ("X-Token")'],
    ['https://clock.example/#tools', 'must not carry a fragment'],
    ['file:///etc/passwd', 'must be an https URL'],
    ['clock.example/mcp', 'is not an absolute URL'],
  ])('is refused: %s', async (url, message) => {
    const answer = await post(endpoint(url))
    expect(answer).toMatchObject({
      status: 400,
      body: {
        code: 'invalid_params',
        problems: [{ path: 'endpoints.0.url', message: expect.stringContaining(message) }],
      },
    })
    const patch = await gateway.send('admins', 'PATCH', '/servers/stored', {
      endpoints: [{ url }],
    })
    expect(patch).toMatchObject({ status: 400, body: { code: 'invalid_params' } })
  })

  it('may be private and plain http when the operator listed its host', async () => {
    const answer = await post({ ...endpoint('http://127.0.0.1:9/mcp'), path: 'listed' })
    expect(answer.status).toBe(201)
  })
})

describe('a server input', () => {
  const long = (length: number) => 'x'.repeat(length)
  const many = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`)
  it.each([
    ['an unknown member', { colour: 'red' }, ''],
    [
      'an unknown member of an endpoint',
      { endpoints: [{ url: 'https://a.example', tls: 1 }] },
      'endpoints.0',
    ],
    ['a missing name', { name: undefined }, 'name'],
    ['a name that is too long', { name: long(101) }, 'name'],
    ['a name with a line break', { name: 'a\nb' }, 'name'],
    ['a name of another type', { name: 1 }, 'name'],
    ['a description that is too long', { description: long(2001) }, 'description'],
    ['too many tags', { tags: many(21) }, 'tags'],
    ['a tag twice', { tags: ['a', 'a'] }, 'tags'],
    ['a tag in upper case', { tags: ['Time'] }, 'tags.0'],
    ['a tag that is too long', { tags: [long(51)] }, 'tags.0'],
    ['a reserved path', { path: 'admin' }, 'path'],
    ['a path in upper case', { path: 'Clock' }, 'path'],
    ['a path that is too long', { path: long(32) }, 'path'],
    ['an unknown visibility', { visibility: 'secret' }, 'visibility'],
    ['a group server without groups', { visibility: 'group' }, 'allowedGroups'],
    ['an unknown transport', { transport: 'stdio' }, 'transport'],
    ['an unknown auth strategy', { authStrategy: 'oauth' }, 'authStrategy'],
    ['a timeout that is too short', { timeoutMs: 999 }, 'timeoutMs'],
    ['a timeout that is too long', { timeoutMs: 300_001 }, 'timeoutMs'],
    ['a timeout that is not whole', { timeoutMs: 1000.5 }, 'timeoutMs'],
    ['no endpoint', { endpoints: [] }, 'endpoints'],
    [
      'too many endpoints',
      { endpoints: many(11).map((t) => ({ url: `https://${t}.example` })) },
      'endpoints',
    ],
    ['an endpoint twice', { endpoints: [...VALID.endpoints, ...VALID.endpoints] }, 'endpoints'],
    [
      'a weight of zero',
      { endpoints: [{ url: 'https://a.example', weight: 0 }] },
      'endpoints.0.weight',
    ],
    [
      'a URL that is too long',
      { endpoints: [{ url: `https://a.example/${long(2048)}` }] },
      'endpoints.0.url',
    ],
    [
      'a script as provenance',
      { provenance: { source: 'x', url: 'javascript:alert(1)' } },
      'provenance.url',
    ],
    ['an owner of its own', { owner: 'me' }, ''],
    ['a tenant of its own', { tenant: 'other' }, ''],
  ])('is refused with %s', async (_what, member, path) => {
    const answer = await post({ ...VALID, ...member })
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_params', problems: [{ path }] },
    })
  })

  it.each([
    'Host',
    'Cookie',
    'Connection',
    'Transfer-Encoding',
    'Content-Type',
    'Mcp-Session-Id',
    'X-Forwarded-For',
    'CF-Connecting-IP',
    'Proxy-Authorization',
    'X-Authorization',
    'bad name',
    'bad:name',
    '',
  ])('is refused with the custom header %j', async (name) => {
    const answer = await post({ ...VALID, headers: { [name]: 'x' } })
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_params', problems: [{ path: `headers.${name}` }] },
    })
  })

  it.each([
    ['a line break', { 'X-A': 'a\r\nX-B: b' }],
    ['a character outside ASCII', { 'X-A': '\u00e9' }],
    ['nothing', { 'X-A': '' }],
    ['too much', { 'X-A': 'x'.repeat(4097) }],
    ['one name twice', { 'X-A': '1', 'x-a': '2' }],
    ['too many names', Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`X-${i}`, '1']))],
    [
      'too much together',
      { 'X-A': 'x'.repeat(4000), 'X-B': 'x'.repeat(4000), 'X-C': 'x'.repeat(4000) },
    ],
  ])('is refused with custom headers that hold %s', async (_what, headers) => {
    const answer = await post({ ...VALID, headers })
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_params' } })
  })

  it('is told every problem at once', async () => {
    const answer = await post({ ...VALID, name: '', timeoutMs: 1, tags: ['A'] })
    expect(answer.body['problems']).toHaveLength(3)
    expect(answer.body['detail']).toMatch(/^name: .* \(and 2 more\)\.$/)
  })
})

describe('a body', () => {
  it.each([
    ['that is malformed JSON', '{"path":', 400, 'parse_error'],
    ['that is empty', '', 400, 'parse_error'],
    ['that names a member twice', '{"name":"a","name":"b"}', 400, 'parse_error'],
    ['that names one twice by escapes', '{"name":"a","n\\u0061me":"b"}', 400, 'parse_error'],
    ['that names one twice far inside', '{"a":[[{"b":{},"c":{},"b":1}]]}', 400, 'parse_error'],
    ['that names __proto__ twice', '{"__proto__":1,"__proto__":2}', 400, 'parse_error'],
    ['with colons in its strings', '{"a:b":"c:\\":d","e":["f:g"]}', 400, 'invalid_params'],
    ['that is very deep', '['.repeat(100_000) + ']'.repeat(100_000), 400, 'parse_error'],
    ['that is an array', '[]', 400, 'invalid_params'],
    ['that is null', 'null', 400, 'invalid_params'],
    ['that is larger than a mebibyte', `"${'x'.repeat(1024 * 1024)}"`, 413, 'body_too_large'],
  ])('%s is refused', async (_what, body, status, code) => {
    expect(await post(body)).toMatchObject({ status, body: { code } })
  })

  it.each(['text/plain', 'multipart/form-data', 'application/jsonp', ''])(
    'of type %j is refused with 415',
    async (contentType) => {
      const sent = JSON.stringify(VALID)
      const answer = await gateway.send('admins', 'POST', '/servers', sent, { contentType })
      expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } })
    },
  )

  it('of JSON may name its charset', async () => {
    const contentType = 'application/json; charset=utf-8'
    const input = { ...VALID, path: 'charset' }
    const answer = await gateway.send('admins', 'POST', '/servers', input, { contentType })
    expect(answer.status).toBe(201)
  })
})

describe('a patch, a toggle and a query', () => {
  it.each([
    ['PATCH', '/servers/stored', {}],
    ['PATCH', '/servers/stored', { path: 'other' }],
    ['PATCH', '/servers/stored', { colour: 'red' }],
    ['PATCH', '/servers/stored', { headers: { Host: null } }],
    ['POST', '/servers/stored/toggle', { enabled: 'yes' }],
    ['POST', '/servers/stored/toggle', { state: true }],
    ['POST', '/servers?force=true', VALID],
    ['POST', '/servers?allowUnreachable=1', VALID],
    ['DELETE', '/servers/stored?really=true', undefined],
    ['POST', '/servers/stored/refresh?x=1', undefined],
    ['GET', '/servers?limit=0', undefined],
    ['GET', '/servers?limit=101', undefined],
    ['GET', '/servers?limit=ten', undefined],
    ['GET', '/servers?limit=1&limit=2', undefined],
    ['GET', '/servers?colour=red', undefined],
    ['GET', '/servers?health=fine', undefined],
    ['GET', '/servers?text=', undefined],
    ['GET', '/servers/stored?x=1', undefined],
    ['GET', '/servers/stored/tools?limit=-1', undefined],
    ['GET', '/servers/stored/health?x=1', undefined],
    ['GET', '/me?x=1', undefined],
    ['PUT', '/policy', { group_mappings: { a: ['undefined scope'] } }],
    ['PUT', '/policy', { admin: [] }],
  ])('is refused: %s %s %j', async (method, path, body) => {
    const answer = await gateway.send('admins', method, path, body)
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_params' } })
  })

  it.each(['', 'x', 'deadbeef.AAAA', 'x'.repeat(2000)])(
    'is refused with the cursor %j',
    async (cursor) => {
      const query = `?cursor=${cursor}`
      for (const list of ['/servers', '/servers/stored/tools']) {
        const answer = await gateway.send('admins', 'GET', `${list}${query}`)
        expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } })
      }
    },
  )

  it.each(['admin', 'UPPER', '..%2F..%2Fetc', '%00', 'x'.repeat(500)])(
    'is not found at the path %j',
    async (path) => {
      const answer = await gateway.send('admins', 'GET', `/servers/${path}`)
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
    },
  )
})

it('stores nothing of what was refused, asks nobody, and serves the next request', async () => {
  const changes = await changesOf('registry-bad-input')
  expect(changes.map((change) => `${change['action']} ${change['target']}`)).toEqual([
    'server.register stored',
    'server.register listed',
    'server.register charset',
  ])
  expect(gateway.asked.map((upstream) => upstream.url)).toEqual([
    'http://127.0.0.1:9/mcp',
    'https://clock.example/mcp',
  ])
  expect((await gateway.send('admins', 'GET', '/servers/stored')).status).toBe(200)
})
