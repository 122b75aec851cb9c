import { classifyInboundRequest } from '@modelcontextprotocol/server'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPlainRequests } from '../../src/mcp/plain-requests.ts'

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'a', version: '1' },
}
const MODERN = { version: '2026-07-28', method: 'tools/call' }

const judged = (body: object, { version, method }: typeof ANNOUNCED): string => {
  const outcome = classifyInboundRequest({
    httpMethod: 'POST',
    body,
    ...(version === undefined ? {} : { protocolVersionHeader: version }),
    ...(method === undefined ? {} : { mcpMethodHeader: method }),
  })
  return outcome.kind === 'modern' && outcome.messageKind !== 'request' ? 'other' : outcome.kind
}
const ANNOUNCED: { version: string | undefined; method: string | undefined } = MODERN

/** Mostly sound requests, with something wrong here and there. */
const value = fc.oneof(
  fc.constantFrom<unknown>('2026-07-28', '2025-11-25', 'x', {}, [], null, 1, 1.5, '', true),
  fc.jsonValue(),
)
const meta = fc.dictionary(
  fc.constantFrom(
    ...Object.keys(ENVELOPE),
    'progressToken',
    'traceparent',
    'io.modelcontextprotocol/related-task',
    'dev.example/x',
  ),
  value,
)
const params = fc.oneof(
  fc.record(
    {
      name: fc.constant('echo'),
      _meta: fc.oneof(
        meta,
        meta.map((m) => ({ ...ENVELOPE, ...m })),
        value,
      ),
    },
    { requiredKeys: ['name'] },
  ),
  value,
)
const body = fc.record(
  {
    jsonrpc: fc.constantFrom('2.0', '2.0', '2.0', '1.0'),
    id: fc.oneof(fc.constantFrom<unknown>(1, 'a', null), value),
    method: fc.oneof(fc.constantFrom('tools/call', 'initialize', 'tools/list'), value),
    params,
    result: value,
    extra: value,
  },
  { requiredKeys: ['jsonrpc', 'method'] },
)
const announced = fc.record({
  version: fc.constantFrom('2026-07-28', '2026-07-28', '2025-11-25', undefined, '2024-11-05', '1'),
  method: fc.constantFrom('tools/call', 'tools/call', 'tools/list', 'initialize', undefined),
})

describe('requests that are like one before', () => {
  it('are judged as the classifier would, whatever was seen before them', () => {
    const plain = createPlainRequests()
    fc.assert(
      fc.property(body, announced, (request, said) => {
        const verdict = judged(request, said)
        const era = plain.eraOf(request, said)
        if (era !== undefined) expect(era).toBe(verdict)
        if (verdict === 'modern') plain.note(request, said)
      }),
      { numRuns: 5_000, seed: 5 },
    )
  })

  it('need no classifier, whatever their ids, arguments and tokens are', () => {
    const plain = createPlainRequests()
    const call = (id: unknown, own: object) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'echo', arguments: own, _meta: { ...ENVELOPE, progressToken: id } },
    })
    expect(plain.eraOf(call(1, {}), MODERN)).toBeUndefined()
    plain.note(call(1, {}), MODERN)
    expect(plain.eraOf(call('b', { x: 1 }), MODERN)).toBe('modern')
  })

  it('are not taken for sound with another envelope or other headers', () => {
    const plain = createPlainRequests()
    const call = (own: object) => ({
      ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
      params: { name: 'echo', _meta: { ...ENVELOPE, ...own } },
    })
    plain.note(call({}), MODERN)
    const capabilities = { 'io.modelcontextprotocol/clientCapabilities': { sampling: 1 } }
    expect(plain.eraOf(call(capabilities), MODERN)).toBeUndefined()
    expect(plain.eraOf(call({}), { ...MODERN, method: 'tools/list' })).toBeUndefined()
    expect(plain.eraOf(call({}), { ...MODERN, version: undefined })).toBeUndefined()
    expect(plain.eraOf(call({ progressToken: {} }), MODERN)).toBeUndefined()
  })
})
