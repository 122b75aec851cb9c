import { describe, expect, it } from 'vitest'
import { legacyRequest, legacyResult } from '../../../src/mcp/bridge/to-legacy.ts'
import { modernError, modernRequest, modernResult } from '../../../src/mcp/bridge/to-modern.ts'
import type { InboundRequest } from '../../../src/mcp/eras.ts'

const SPEC = 'io.modelcontextprotocol'

function inboundOf(era: 'modern' | 'legacy', text: string, id: string): InboundRequest {
  const start = text.indexOf(id, text.indexOf('"id"'))
  const { method, params = {} } = JSON.parse(text)
  return {
    ...{ kind: 'request', era, text, method, params },
    id: { start, end: start + id.length },
  }
}

const idOf = ({ text, id }: InboundRequest) => text.slice(id.start, id.end)

describe('a request of a legacy client for a modern server', () => {
  const face = {
    hello: {
      protocolVersion: '2025-06-18',
      capabilities: { elicitation: {}, tasks: { list: {} } },
      clientInfo: { name: 'old', version: '1' },
    },
  }

  it('carries what its client said once, and every byte of its own', () => {
    const text =
      '{"method":"tools/call","params":{"name":"x","arguments":{"n":1.0,"big":12345678901234567890},"_meta":{"progressToken":7.0,"vendor":"v"}},"jsonrpc":"2.0","id":1.5}'
    const request = modernRequest(inboundOf('legacy', text, '1.5'), { ...face, logLevel: 'info' })
    expect(request).toMatchObject({ era: 'modern', version: '2026-07-28', method: 'tools/call' })
    expect(idOf(request)).toBe('1.5')
    expect(request.text).toBe(
      `{"method":"tools/call","params":{"name":"x","arguments":{"n":1.0,"big":12345678901234567890},"_meta":{"progressToken":7.0,"vendor":"v","${SPEC}/protocolVersion":"2026-07-28","${SPEC}/clientCapabilities":{"elicitation":{}},"${SPEC}/clientInfo":{"name":"old","version":"1"},"${SPEC}/logLevel":"info"}},"jsonrpc":"2.0","id":1.5}`,
    )
  })

  it('gets params when it had none, and no log level when none was set', () => {
    const text = '{"jsonrpc":"2.0","id":"a","method":"tools/list"}'
    const { params } = JSON.parse(modernRequest(inboundOf('legacy', text, '"a"'), face).text)
    expect(Object.keys(params._meta)).toEqual([
      `${SPEC}/protocolVersion`,
      `${SPEC}/clientCapabilities`,
      `${SPEC}/clientInfo`,
    ])
  })

  it('cannot speak for the envelope, or resume what it did not begin', () => {
    const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","requestState":"s","inputResponses":{},"task":{},"_meta":{"${SPEC}/clientCapabilities":{"sampling":{}},"${SPEC}/logLevel":"debug"}}}`
    const { params } = JSON.parse(modernRequest(inboundOf('legacy', text, '1'), face).text)
    expect(Object.keys(params)).toEqual(['name', '_meta'])
    expect(params._meta[`${SPEC}/clientCapabilities`]).toEqual({ elicitation: {} })
    expect(params._meta).not.toHaveProperty(`${SPEC}/logLevel`)
  })
})

describe('a result of a modern server for a legacy client', () => {
  it('loses what the older revisions do not know', () => {
    const result = `{"resultType":"complete","ttlMs":5,"cacheScope":"public","tools":[{"name":"a","outputSchema":{"type":"array"}},{"name":"b","outputSchema":{"type":"object"},"x":1.0}],"nextCursor":"","_meta":{"${SPEC}/serverInfo":{},"vendor":1.0}}`
    expect(legacyResult('tools/list', result)).toBe(
      '{"tools":[{"name":"a"},{"name":"b","outputSchema":{"type":"object"},"x":1.0}],"nextCursor":"","_meta":{"vendor":1.0}}',
    )
  })

  it.each([
    ['{"content":[],"structuredContent":[1]}', '{"content":[]}'],
    [
      '{"content":[],"structuredContent":{"n":1.0}}',
      '{"content":[],"structuredContent":{"n":1.0}}',
    ],
  ])('keeps structured content that is an object: %s', (result, wanted) => {
    expect(legacyResult('tools/call', result)).toBe(wanted)
  })
})

describe('a request of a modern client for a legacy server', () => {
  it('loses its envelope, and keeps what is its own', () => {
    const text = `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"x","_meta":{"${SPEC}/protocolVersion":"2026-07-28","${SPEC}/clientCapabilities":{},"traceparent":"00-1","progressToken":"p"},"requestState":"s","inputResponses":{}}}`
    const request = legacyRequest(inboundOf('modern', text, '9'), '2025-06-18')
    expect(request).toMatchObject({ era: 'legacy', version: '2025-06-18' })
    expect(idOf(request)).toBe('9')
    expect(request.text).toBe(
      '{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"x","_meta":{"traceparent":"00-1","progressToken":"p"}}}',
    )
  })

  it('has no _meta when it held the envelope alone', () => {
    const text = `{"jsonrpc":"2.0","id":9,"method":"tools/list","params":{"_meta":{"${SPEC}/protocolVersion":"2026-07-28"}}}`
    expect(legacyRequest(inboundOf('modern', text, '9'), '2025-06-18').text).toBe(
      '{"jsonrpc":"2.0","id":9,"method":"tools/list","params":{}}',
    )
  })
})

describe('a result of a legacy server for a modern client', () => {
  const info = { name: 'old', version: '1' }

  it('is complete, and kept by nobody', () => {
    expect(modernResult('tools/list', '{"tools":[],"ttlMs":9,"cacheScope":"public"}', info)).toBe(
      `{"tools":[],"ttlMs":0,"cacheScope":"private","resultType":"complete","_meta":{"${SPEC}/serverInfo":{"name":"old","version":"1"}}}`,
    )
    expect(JSON.parse(modernResult('tools/call', '{"content":[]}', info))).not.toHaveProperty(
      'ttlMs',
    )
  })

  it.each([
    ['{"code":-32002,"message":"Not found","data":{"uri":"x"}}', -32602],
    ['{"code":-32603,"message":"Broken"}', -32603],
  ])('has an error code of its era: %s', (error, code) => {
    expect(JSON.parse(modernError(error))).toEqual({ ...JSON.parse(error), code })
  })
})
