import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const ECHO = { name: 'echo', arguments: { message: 'hi' } }
const VERSION = 'io.modelcontextprotocol/protocolVersion'
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'
const ENVELOPE = `"${VERSION}":"2026-07-28","${CAPABILITIES}":{}`
const base64 = (text: string) =>
  `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}?=`

describe('the modern relay refuses, before anything is sent,', () => {
  const room = scriptedRoom('refusals')
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    await room.register(gateway, token)
    const seed = {
      caller: [{ server: 'scripted', methods: ['tools/list', 'tools/call'], tools: ['echo'] }],
      group_mappings: { callers: ['caller'] },
    }
    const stored = await gateway.fetch('/api/v1/policy', rest(token, 'PUT', seed))
    expect(stored.status).toBe(200)
  })

  beforeEach(async () => {
    await room.log()
  })

  const send = (init: RequestInit) => gateway.fetch('/scripted/mcp', init)
  const called = (headers: Record<string, string> = {}) =>
    modern(token, 'tools/call', ECHO, headers, 'mine')
  const region = (value: unknown, headers: Record<string, string>) =>
    modern(token, 'tools/call', { name: 'region', arguments: { region: value } }, headers, 'mine')
  const count = (value: unknown, headers: Record<string, string>) =>
    modern(
      token,
      'tools/call',
      { name: 'region', arguments: { deep: { count: value } } },
      headers,
      'mine',
    )
  const withBody = (body: string, headers: Record<string, string> = {}) => ({
    ...called(headers),
    body,
  })
  const edited = (from: string, to: string) => withBody(String(called().body).replace(from, to))
  const withEnvelope = (_meta: string) =>
    withBody(
      `{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":{"name":"echo"${_meta === '' ? '' : `,"_meta":${_meta}`}}}`,
    )
  const without = (name: string): RequestInit => {
    const init = called()
    const headers = new Headers(init.headers)
    headers.delete(name)
    return { ...init, headers }
  }

  /** What every refusal looks like, and that it harmed nobody. */
  async function expectRefusal(
    response: Response,
    status: number,
    error: { code: number; message: unknown; data?: object },
    id: unknown,
  ) {
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id,
      error: {
        ...error,
        data: {
          code: expect.any(String),
          fix: expect.any(String),
          requestId: response.headers.get('x-request-id'),
          ...error.data,
        },
      },
    })
    expect((await room.log()).log).toEqual([])
    const next = await send(called())
    expect(next.status).toBe(200)
    expect(await next.text()).toContain('hi')
  }

  // req: header-mismatch-400
  it.each<[string, () => RequestInit, string]>([
    [
      'no MCP-Protocol-Version',
      () => without('mcp-protocol-version'),
      'The MCP-Protocol-Version header is missing.',
    ],
    ['no Mcp-Method', () => without('mcp-method'), 'The Mcp-Method header is missing.'],
    [
      'no Mcp-Name',
      () => without('mcp-name'),
      'The Mcp-Name header is missing; tools/call needs it.',
    ],
    [
      'an empty Mcp-Name',
      () => called({ 'mcp-name': '' }),
      'The Mcp-Name header does not match params.name.',
    ],
    [
      'a Mcp-Name in another case',
      () => called({ 'mcp-name': 'Echo' }),
      'The Mcp-Name header does not match params.name.',
    ],
    [
      'a Mcp-Name whose base64 says something else',
      () => called({ 'mcp-name': base64('exotic') }),
      'The Mcp-Name header does not match params.name.',
    ],
    [
      'a Mcp-Name that is no base64',
      () => called({ 'mcp-name': '=?base64?%%?=' }),
      'The Mcp-Name header does not match params.name.',
    ],
    ['no Mcp-Param', () => region('eu', {}), 'Mcp-Param-Region is missing.'],
    [
      'another Mcp-Param',
      () => region('eu', { 'mcp-param-region': 'us' }),
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'an Mcp-Param in another case',
      () => region('eu', { 'mcp-param-region': 'EU' }),
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'an Mcp-Param without its argument',
      () => region(null, { 'mcp-param-region': 'eu' }),
      'Mcp-Param-Region is set, but its argument is not.',
    ],
    [
      'an Mcp-Param that is no base64',
      () => region('eu', { 'mcp-param-region': '=?base64?e?=' }),
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'another integer in a nested Mcp-Param',
      () => count(5, { 'mcp-param-count': '6' }),
      'Mcp-Param-Count does not match its argument.',
    ],
  ])('a request with %s: 400, -32020', async (_what, init, message) => {
    const data = { code: 'header_mismatch' }
    await expectRefusal(await send(init()), 400, { code: -32020, message, data }, 'mine')
  })

  // req: header-mismatch-400
  it.each([
    [
      { 'mcp-protocol-version': '2025-11-25' },
      '2025-11-25',
      'the body envelope names protocol version 2026-07-28 but the MCP-Protocol-Version header names 2025-11-25',
    ],
    [
      { 'mcp-method': 'tools/list' },
      'tools/list',
      'the body names method tools/call but the Mcp-Method header names tools/list',
    ],
  ])('a request whose headers say %j: 400, -32020', async (headers, header, body) => {
    const message = `Bad Request: the request headers and body disagree: ${body}`
    const data = { code: 'header_mismatch', mismatch: { header, body } }
    await expectRefusal(await send(called(headers)), 400, { code: -32020, message, data }, 'mine')
  })

  it.each<[string, () => RequestInit, number, number, string, unknown]>([
    ['a batch', () => withBody(`[${String(called().body)}]`), 400, -32600, 'batches', null],
    ['an empty batch', () => withBody('[]'), 400, -32600, 'batch is empty', null],
    ['no JSON', () => withBody('{"jsonrpc":'), 400, -32700, 'not valid JSON', null],
    ['an empty body', () => withBody(''), 400, -32700, 'not valid JSON', null],
    ['a body that is a string', () => withBody('"hi"'), 400, -32600, 'JSON-RPC', null],
    ['a body that is null', () => withBody('null'), 400, -32600, 'JSON-RPC', null],
    ['no JSON-RPC', () => withBody('{"hello":"world"}'), 400, -32600, 'JSON-RPC', null],
    ['another JSON-RPC', () => edited('"2.0"', '"1.0"'), 400, -32600, 'JSON-RPC', 'mine'],
    ['a null id', () => edited('"mine"', 'null'), 400, -32600, 'JSON-RPC', null],
    ['an object as its id', () => edited('"mine"', '{"a":1}'), 400, -32600, 'JSON-RPC', null],
    [
      'a member twice',
      () => edited('"method"', '"method":"x","method"'),
      400,
      -32700,
      'twice',
      null,
    ],
    [
      'a member twice, once escaped',
      () => edited('"name"', '"n\\u0061me":"exotic","name"'),
      400,
      -32700,
      'twice',
      null,
    ],
    [
      'deep JSON',
      () => withBody(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      400,
      -32700,
      'deeper than 64',
      null,
    ],
    [
      'a body of 4 MiB and a byte',
      () => withBody(`"${'x'.repeat(4 * 1024 * 1024 - 1)}"`),
      413,
      -31009,
      'larger than 4194304 bytes',
      null,
    ],
    [
      'another content type',
      () => called({ 'content-type': 'text/plain' }),
      415,
      -32600,
      'application/json',
      null,
    ],
    [
      'an Accept without events',
      () => called({ accept: 'application/json' }),
      406,
      -32600,
      'text/event-stream',
      null,
    ],
    [
      'an Accept without JSON',
      () => called({ accept: 'text/event-stream' }),
      406,
      -32600,
      'application/json',
      null,
    ],
  ])('a request with %s', async (_what, init, status, code, words, id) => {
    const message = expect.stringContaining(words)
    await expectRefusal(await send(init()), status, { code, message }, id)
  })

  it('bytes that are no UTF-8', async () => {
    const response = await send({ ...called(), body: new Uint8Array([0x22, 0xff, 0x22]) })
    const message = 'The body is not valid UTF-8.'
    await expectRefusal(response, 400, { code: -32700, message }, null)
  })

  it.each([
    ['GET', 'POST, DELETE', 'No stream can be opened here by GET.'],
    ['PUT', 'GET, POST, DELETE', 'PUT is not served at an MCP endpoint.'],
    ['PATCH', 'GET, POST, DELETE', 'PATCH is not served at an MCP endpoint.'],
  ])('%s, naming the methods it serves: 405', async (method, allow, message) => {
    const response = await send({
      method,
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    })
    expect(response.headers.get('allow')).toBe(allow)
    await expectRefusal(response, 405, { code: -31007, message }, null)
  })

  // req: bad-version-400
  it('a version that it does not speak, naming those it does', async () => {
    const params = { ...ECHO, _meta: { [VERSION]: '2027-01-01' } }
    const headers = { 'mcp-protocol-version': '2027-01-01' }
    const response = await send(modern(token, 'tools/call', params, headers, 'mine'))
    const message = 'Unsupported protocol version: 2027-01-01'
    const data = {
      code: 'unsupported_version',
      supported: ['2026-07-28'],
      requested: '2027-01-01',
    }
    await expectRefusal(response, 400, { code: -32022, message, data }, 'mine')
  })

  // req: bad-envelope-400
  it.each([
    [
      'no capabilities',
      `{"${VERSION}":"2026-07-28"}`,
      { key: CAPABILITIES, problem: 'missing' },
      CAPABILITIES,
    ],
    [
      'capabilities of another type',
      `{"${VERSION}":"2026-07-28","${CAPABILITIES}":[]}`,
      { key: CAPABILITIES, problem: expect.stringContaining('expected object') },
      CAPABILITIES,
    ],
    ['no version', `{"${CAPABILITIES}":{}}`, { missing: [VERSION] }, VERSION],
    ['nothing', '{}', { missing: [VERSION, CAPABILITIES] }, CAPABILITIES],
    ['no envelope', '', { missing: ['_meta'] }, '_meta'],
  ])('an envelope with %s: 400, -32602', async (_what, meta, envelope, words) => {
    const message = expect.stringContaining(words)
    const data = { code: 'invalid_params', envelope }
    const response = await send(withEnvelope(meta))
    await expectRefusal(response, 400, { code: -32602, message, data }, 'mine')
  })

  it('a cheap tool in the header with a dear one in the body, whatever the policy says', async () => {
    const caller = await gateway.token({ subject: 'ann', groups: ['callers'] })
    const dear = { name: 'exotic', arguments: {} }
    const mixed = await send(modern(caller, 'tools/call', dear, { 'mcp-name': 'echo' }, 'mine'))
    expect(mixed.status).toBe(400)
    expect(await mixed.json()).toMatchObject({ id: 'mine', error: { code: -32020 } })
    const honest = await send(modern(caller, 'tools/call', dear, {}, 'mine'))
    const unknown = await send(
      modern(caller, 'tools/call', { ...dear, name: 'nonesuch' }, {}, 'mine'),
    )
    const texts = [await honest.json(), await unknown.json()].map((body) =>
      JSON.stringify(body).replace(/"requestId":"[^"]*"/, ''),
    )
    expect(honest.status).toBe(unknown.status)
    expect(texts[0]).toBe(texts[1]?.replace('nonesuch', 'exotic'))
    expect(texts[0]).toContain('"code":-32602,"message":"Unknown tool: exotic"')
    expect((await room.log()).log).toEqual([])
    expect(gateway.events.findLast(({ type }) => type === 'request')).toMatchObject({
      tool: 'nonesuch',
      outcome: 'unknown_tool',
    })
  })

  // req: unknown-method-404
  it('a method that the policy does not give, like one that does not exist: 404, -32601', async () => {
    const caller = await gateway.token({ subject: 'ann', groups: ['callers'] })
    const response = await send(modern(caller, 'vendor/thing', {}, {}, 'mine'))
    const error = { code: -32601, message: 'Method not found', data: { code: 'method_not_found' } }
    await expectRefusal(response, 404, error, 'mine')
  })

  it.each(['-7', '1.0', '12345678901234567890', '"\\u00e9 \\"q\\""'])(
    'a request with the id %s, giving it back as it was written',
    async (id) => {
      const response = await send(
        withBody(
          `{"jsonrpc":"2.0","id": ${id} ,"method":"tools/call","params":{"name":"echo","_meta":{${ENVELOPE}}}}`,
          { 'mcp-name': 'other' },
        ),
      )
      expect(response.status).toBe(400)
      expect(await response.text()).toContain(`"id":${id},"error":{"code":-32020`)
    },
  )
})
