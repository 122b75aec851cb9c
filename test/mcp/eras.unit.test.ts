import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/core/index.ts'
import { classify, type Inbound, readMessage } from '../../src/mcp/eras.ts'

const VERSION = 'io.modelcontextprotocol/protocolVersion'
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'
const META = { [VERSION]: '2026-07-28', [CAPABILITIES]: {} }

const read = (text: string, headers: Record<string, string> = {}): Inbound =>
  classify(readMessage(text), new Headers(headers))

/** The headers a modern client sends with a message. */
const modernHeaders = (method: string, name?: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name === undefined ? {} : { 'mcp-name': name }),
})

const modernText = (method: string, params: object = {}, id: unknown = 1) =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: META } })

const legacyText = (message: object) => JSON.stringify({ jsonrpc: '2.0', ...message })

/** Code and data of what is thrown. */
function refusal(run: () => unknown): { code: string; data: unknown; message: string } {
  try {
    run()
  } catch (thrown) {
    if (thrown instanceof GatewayError) {
      return { code: thrown.code, data: thrown.detail.data, message: thrown.message }
    }
    throw thrown
  }
  throw new Error('nothing was refused')
}

describe('a modern message', () => {
  it('is a request with its name, wherever the method has it', () => {
    for (const [method, params, name] of [
      ['tools/call', { name: 'echo' }, 'echo'],
      ['prompts/get', { name: 'p' }, 'p'],
      ['resources/read', { uri: 'test://a b' }, 'test://a b'],
      ['tasks/get', { taskId: 't1' }, 't1'],
    ] as const) {
      const inbound = read(modernText(method, params), modernHeaders(method, name))
      expect(inbound).toMatchObject({
        kind: 'request',
        era: 'modern',
        method,
        name,
        version: '2026-07-28',
      })
    }
  })

  it('needs no name where the method has none, known or not', () => {
    for (const method of ['tools/list', 'server/discover', 'vendor/thing', 'constructor']) {
      const inbound = read(modernText(method, { name: 'x' }), modernHeaders(method))
      expect(inbound).toMatchObject({ kind: 'request', method, name: undefined })
    }
  })

  it('is a notification without an id, and needs no standard headers then', () => {
    const text = JSON.stringify({ jsonrpc: '2.0', method: 'n/x', params: { _meta: META } })
    expect(read(text)).toMatchObject({ kind: 'notification', era: 'modern', method: 'n/x' })
  })

  it('compares names decoded, and without the white space around a header', () => {
    const name = ' ünïcode\n'
    const encoded = `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(name)))}?=`
    const text = modernText('tools/call', { name })
    expect(read(text, modernHeaders('tools/call', encoded))).toMatchObject({ name })
    const plain = modernText('tools/call', { name: 'echo' })
    expect(read(plain, modernHeaders('tools/call', '\t echo '))).toMatchObject({ name: 'echo' })
  })

  it('says where its id stands, however it is written', () => {
    for (const id of ['1', '-7', '1.0', '1e2', '12345678901234567890', '"x"', '"\\u00fc\\""']) {
      const text = `{"id" :\t${id} , "jsonrpc":"2.0","method":"tools/list","params":{"id":9,"_meta":${JSON.stringify(META)}}}`
      const inbound = read(text, modernHeaders('tools/list'))
      if (inbound.kind !== 'request') throw new Error(`${id} gave a ${inbound.kind}`)
      expect(text.slice(inbound.id.start, inbound.id.end)).toBe(id)
    }
  })

  const call = modernText('tools/call', { name: 'echo' })
  const good = modernHeaders('tools/call', 'echo')
  const { 'mcp-name': _name, ...noName } = good
  const { 'mcp-method': _method, ...noMethod } = good
  const { 'mcp-protocol-version': _version, ...noVersion } = good

  it.each([
    ['no version', noVersion, 'header_mismatch'],
    ['no method', noMethod, 'header_mismatch'],
    ['no name', noName, 'header_mismatch'],
    ['another version', { ...good, 'mcp-protocol-version': '2025-11-25' }, 'header_mismatch'],
    ['another method', { ...good, 'mcp-method': 'tools/list' }, 'header_mismatch'],
    ['a method in another case', { ...good, 'mcp-method': 'Tools/Call' }, 'header_mismatch'],
    ['another name', { ...good, 'mcp-name': 'other' }, 'header_mismatch'],
    ['a name in another case', { ...good, 'mcp-name': 'Echo' }, 'header_mismatch'],
    ['an empty name', { ...good, 'mcp-name': '' }, 'header_mismatch'],
    ['two names', { ...good, 'mcp-name': 'echo, echo' }, 'header_mismatch'],
    ['a sentinel without base64', { ...good, 'mcp-name': '=?base64?!?=' }, 'header_mismatch'],
  ])('is refused when its headers hold %s', (_what, headers, code) => {
    expect(refusal(() => read(call, headers)).code).toBe(code)
  })

  it.each([
    ['capabilities', { [VERSION]: '2026-07-28' }],
    ['capabilities that are an object', { [VERSION]: '2026-07-28', [CAPABILITIES]: 'x' }],
    ['a version that is text', { [VERSION]: 20260728, [CAPABILITIES]: {} }],
  ])('is refused when its envelope lacks %s', (_what, _meta) => {
    const text = legacyText({ id: 1, method: 'tools/list', params: { _meta } })
    expect(refusal(() => read(text, modernHeaders('tools/list'))).code).toBe('invalid_params')
  })

  it('is refused when only its headers are modern', () => {
    const text = legacyText({ id: 1, method: 'tools/list', params: {} })
    expect(refusal(() => read(text, modernHeaders('tools/list'))).code).toBe('invalid_params')
  })

  it('of a version to come is refused with those that are spoken', () => {
    const text = modernText('tools/list').replace('2026-07-28', '2027-01-01')
    const headers = { ...modernHeaders('tools/list'), 'mcp-protocol-version': '2027-01-01' }
    expect(refusal(() => read(text, headers))).toMatchObject({
      code: 'unsupported_version',
      data: { supported: ['2026-07-28'], requested: '2027-01-01' },
    })
  })
})

describe('a legacy message', () => {
  it('is a request, a notification or a response, with any version known or none', () => {
    for (const version of [undefined, '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05']) {
      const headers = version === undefined ? {} : { 'mcp-protocol-version': version }
      const named = version === undefined ? {} : { version }
      expect(
        read(legacyText({ id: 1, method: 'tools/call', params: { name: 'echo' } }), headers),
      ).toMatchObject({ kind: 'request', era: 'legacy', name: 'echo', ...named })
      expect(read(legacyText({ method: 'notifications/initialized' }), headers)).toMatchObject({
        kind: 'notification',
        era: 'legacy',
        params: {},
      })
      expect(read(legacyText({ id: 's1', result: {} }), headers)).toMatchObject({
        kind: 'response',
        era: 'legacy',
      })
      const error = { code: -1, message: 'no' }
      expect(read(legacyText({ id: 's1', error }), headers)).toMatchObject({ kind: 'response' })
    }
  })

  // req: legacy-needs-no-headers
  it('has no standard headers to match', () => {
    const text = legacyText({ id: 1, method: 'tools/call', params: { name: 'echo' } })
    const headers = { 'mcp-method': 'tools/list', 'mcp-name': 'other' }
    expect(read(text, headers)).toMatchObject({ era: 'legacy', name: 'echo' })
  })

  it('is `initialize`, whatever version it asks for', () => {
    const text = legacyText({ id: 1, method: 'initialize', params: { protocolVersion: '1999' } })
    expect(read(text)).toMatchObject({ kind: 'request', era: 'legacy', method: 'initialize' })
  })

  it.each(['2024-10-07', '2024-01-01', 'x', ''])('of the version %j is refused', (version) => {
    const text = legacyText({ id: 1, method: 'tools/list' })
    expect(refusal(() => read(text, { 'mcp-protocol-version': version }))).toMatchObject({
      code: 'unsupported_version',
      data: {
        supported: ['2026-07-28', '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'],
        requested: version,
      },
    })
  })

  it('shows no more than a little of a version that makes no sense', () => {
    const text = legacyText({ id: 1, method: 'tools/list' })
    const refused = refusal(() => read(text, { 'mcp-protocol-version': 'x'.repeat(5_000) }))
    expect(refused.message.length).toBeLessThan(100)
  })
})

describe('a notification', () => {
  it.each<[string, unknown]>([
    ['legacy', 1],
    ['legacy', 'x'],
    ['modern', 1],
  ])('of the %s era with the id %j is no method', (era, id) => {
    const method = 'notifications/tools/call'
    const inbound = () =>
      era === 'legacy'
        ? read(legacyText({ id, method }))
        : read(modernText(method, {}, id), modernHeaders(method))
    expect(refusal(inbound)).toMatchObject({
      code: 'method_not_found',
      message: 'Method not found',
    })
  })

  it('with an id that is null is no message', () => {
    const text = legacyText({ id: null, method: 'notifications/cancelled' })
    expect(refusal(() => read(text)).code).toBe('invalid_request')
  })
})

describe('a body', () => {
  it.each([
    ['', 'parse_error'],
    ['{', 'parse_error'],
    ['{"jsonrpc":"2.0",}', 'parse_error'],
    ["{'a':1}", 'parse_error'],
    ['\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping"} {}', 'parse_error'],
    ['NaN', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"m\\u0065thod":"ping","METHOD":"x"}', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","PARAM\u017f":{}}', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call"}', 'parse_error'],
    ['{"jsonrpc":"2.0","ID":1,"method":"notifications/x"}', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"b","n\u0041me":"c"}}', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"method":"a","params":{"tas\u212aId":"b"}}', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"method":"a","m\\u0065thod":"b"}', 'parse_error'],
    ['{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"a","name":"b"}}', 'parse_error'],
    [`{"a":${'['.repeat(100_000)}`, 'parse_error'],
    ['[]', 'invalid_request'],
    ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 'invalid_request'],
    ['[[1]]', 'invalid_request'],
    ['null', 'invalid_request'],
    ['1', 'invalid_request'],
    ['"ping"', 'invalid_request'],
    ['{}', 'invalid_request'],
    ['{"jsonrpc":"1.0","id":1,"method":"ping"}', 'invalid_request'],
    ['{"id":1,"method":"ping"}', 'invalid_request'],
    ['{"jsonrpc":"2.0","id":1}', 'invalid_request'],
    ['{"jsonrpc":"2.0","id":1,"method":7}', 'invalid_request'],
    ['{"jsonrpc":"2.0","id":{},"method":"ping"}', 'invalid_request'],
    ['{"jsonrpc":"2.0","id":[1],"method":"ping"}', 'invalid_request'],
    ['{"jsonrpc":"2.0","id":true,"method":"ping"}', 'invalid_request'],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', 'invalid_request'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', 'invalid_request'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}', 'invalid_request'],
    ['{"jsonrpc":"2.0","result":{}}', 'invalid_request'],
  ])('that is %s is refused', (text, code) => {
    expect(refusal(() => read(text)).code).toBe(code)
  })

  it('may hold members that nobody knows', () => {
    const text = legacyText({ id: 1, method: 'ping', vendor: { a: 1 }, __proto__x: 1 })
    expect(read(text)).toMatchObject({ kind: 'request', method: 'ping', text })
  })

  it('may be about members with the names of its language', () => {
    const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"name":"a"},"constructor":1}}`
    const inbound = read(text)
    expect(inbound).toMatchObject({ kind: 'request', method: 'tools/call', name: undefined })
  })

  it('gives its id to an error about it only when that id may be quoted', () => {
    expect(readMessage('{"id":"a","method":1}').id).toEqual({ start: 6, end: 9 })
    for (const id of ['null', '{}', '[1]', 'true']) {
      expect(readMessage(`{"id":${id}}`).id).toBeUndefined()
    }
  })
})

describe('a response under the modern revision', () => {
  it('is refused: modern clients answer in their next request', () => {
    const headers = new Headers({ 'mcp-protocol-version': '2026-07-28' })
    const message = readMessage('{"jsonrpc":"2.0","id":1,"result":{}}')
    expect(() => classify(message, headers)).toThrow('A client of 2026-07-28 posts no responses.')
  })
})
