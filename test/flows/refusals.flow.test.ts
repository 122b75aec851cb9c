import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { modern } from '../support/gateway.ts'
import { CAPABILITIES, ECHO, ENVELOPE, VERSION } from '../support/modern-relay.ts'
import { type RefusingRelay, refusingRelay } from '../support/refusing-relay.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

describe('the modern relay refuses, before anything is sent,', () => {
  const room = scriptedRoom('refusals')
  let relay: RefusingRelay

  beforeAll(async () => {
    relay = await refusingRelay(room)
  })

  beforeEach(async () => {
    await room.log()
  })

  const withBody = (body: string, headers: Record<string, string> = {}) => ({
    ...relay.called(headers),
    body,
  })
  const edited = (from: string, to: string) =>
    withBody(String(relay.called().body).replace(from, to))
  const withEnvelope = (_meta: string) =>
    withBody(
      `{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":{"name":"echo"${_meta === '' ? '' : `,"_meta":${_meta}`}}}`,
    )

  it.each<[string, () => RequestInit, number, number, string, unknown]>([
    ['a batch', () => withBody(`[${String(relay.called().body)}]`), 400, -32600, 'batches', null],
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
      () => relay.called({ 'content-type': 'text/plain' }),
      415,
      -32600,
      'application/json',
      null,
    ],
    [
      'an Accept without events',
      () => relay.called({ accept: 'application/json' }),
      406,
      -32600,
      'text/event-stream',
      null,
    ],
    [
      'an Accept without JSON',
      () => relay.called({ accept: 'text/event-stream' }),
      406,
      -32600,
      'application/json',
      null,
    ],
  ])('a request with %s', async (_what, init, status, code, words, id) => {
    const message = expect.stringContaining(words)
    await relay.expectRefusal(await relay.send(init()), status, { code, message }, id)
  })

  it('bytes that are no UTF-8', async () => {
    const response = await relay.send({
      ...relay.called(),
      body: new Uint8Array([0x22, 0xff, 0x22]),
    })
    const message = 'The body is not valid UTF-8.'
    await relay.expectRefusal(response, 400, { code: -32700, message }, null)
  })

  it.each([
    ['GET', 'POST, DELETE', 'No stream can be opened here by GET.'],
    ['PUT', 'GET, POST, DELETE', 'PUT is not served at an MCP endpoint.'],
    ['PATCH', 'GET, POST, DELETE', 'PATCH is not served at an MCP endpoint.'],
  ])('%s, naming the methods it serves: 405', async (method, allow, message) => {
    const response = await relay.send({
      method,
      headers: { authorization: `Bearer ${relay.token}`, accept: 'text/event-stream' },
    })
    expect(response.headers.get('allow')).toBe(allow)
    await relay.expectRefusal(response, 405, { code: -31007, message }, null)
  })

  // req: bad-version-400
  it('a version that it does not speak, naming those it does', async () => {
    const params = { ...ECHO, _meta: { [VERSION]: '2027-01-01' } }
    const headers = { 'mcp-protocol-version': '2027-01-01' }
    const response = await relay.send(modern(relay.token, 'tools/call', params, headers, 'mine'))
    const message = 'Unsupported protocol version: 2027-01-01'
    const data = {
      code: 'unsupported_version',
      supported: ['2026-07-28'],
      requested: '2027-01-01',
    }
    await relay.expectRefusal(response, 400, { code: -32022, message, data }, 'mine')
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
    const response = await relay.send(withEnvelope(meta))
    await relay.expectRefusal(response, 400, { code: -32602, message, data }, 'mine')
  })

  // req: unknown-method-404
  it('a method that the policy does not give, like one that does not exist: 404, -32601', async () => {
    const caller = await relay.gateway.token({ subject: 'ann', groups: ['callers'] })
    const response = await relay.send(modern(caller, 'vendor/thing', {}, {}, 'mine'))
    const error = { code: -32601, message: 'Method not found', data: { code: 'method_not_found' } }
    await relay.expectRefusal(response, 404, error, 'mine')
  })

  it.each(['-7', '1.0', '12345678901234567890', '"\\u00e9 \\"q\\""'])(
    'a request with the id %s, giving it back as it was written',
    async (id) => {
      const response = await relay.send(
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
