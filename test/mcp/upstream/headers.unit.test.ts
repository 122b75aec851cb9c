import { describe, expect, it } from 'vitest'
import { classify, type InboundRequest, readMessage } from '../../../src/mcp/eras.ts'
import { modernHeaders, sessionHeaders, streamHeaders } from '../../../src/mcp/upstream/headers.ts'

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

function toolCall(name: string, args: object = {}): InboundRequest {
  const text = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name, arguments: args, _meta: META },
  })
  const inbound = classify(
    readMessage(text),
    new Headers({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': name,
    }),
  )
  if (inbound.kind !== 'request') throw new Error(`a ${inbound.kind}`)
  return inbound
}

const hop = () => ({ custom: [['x-team', 'a']] as const, version: '2026-07-28' })
const none = new Headers()

describe('headers of a call in a legacy session on hop 2', () => {
  it('are shared between calls of one session of one server alone', () => {
    const one = { ...hop(), version: '2025-11-25', sessionId: 's-1' }
    const first = sessionHeaders(one)
    expect(sessionHeaders({ ...one })).toBe(first)
    expect(Object.fromEntries(first)).toMatchObject({
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': 's-1',
      'x-team': 'a',
    })
    expect(sessionHeaders({ ...one, sessionId: 's-2' }).get('mcp-session-id')).toBe('s-2')
    const older = sessionHeaders({ ...one, version: '2025-06-18' })
    expect(older.get('mcp-protocol-version')).toBe('2025-06-18')
  })

  it('are those of its own server, where two have sessions of the same id', () => {
    const [one, other] = [hop(), { ...hop(), custom: [['x-team', 'b']] as const }]
    const first = sessionHeaders({ ...one, sessionId: 'same' })
    expect(sessionHeaders({ ...other, sessionId: 'same' }).get('x-team')).toBe('b')
    expect(sessionHeaders({ ...one, sessionId: 'same' }).get('x-team')).toBe('a')
    expect(first.get('x-team')).toBe('a')
  })

  it('are not kept for ids that nobody needs to make so long', () => {
    const one = { ...hop(), sessionId: 's'.repeat(257) }
    expect(sessionHeaders(one)).not.toBe(sessionHeaders(one))
    expect(sessionHeaders(one).get('mcp-session-id')).toBe(one.sessionId)
  })

  it('are not those of its streams, nor of a call without a session', () => {
    const one = { ...hop(), sessionId: 's-1' }
    const first = sessionHeaders(one)
    expect(streamHeaders(one, 'e-1').get('accept')).toBe('text/event-stream')
    expect(first.get('accept')).toContain('application/json')
    expect(first.has('last-event-id')).toBe(false)
    const { sessionId: _, ...without } = one
    expect(sessionHeaders(without)).not.toBe(sessionHeaders(without))
  })
})

describe('headers of a modern call on hop 2', () => {
  it('are shared between calls of one tool of one server alone', () => {
    const first = hop()
    const echo = modernHeaders(first, toolCall('echo'), none, [])
    expect(modernHeaders({ ...first }, toolCall('echo'), none, [])).toBe(echo)
    expect(Object.fromEntries(echo)).toMatchObject({
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
      'mcp-protocol-version': '2026-07-28',
      'x-team': 'a',
    })
    expect(modernHeaders(first, toolCall('add'), none, []).get('mcp-name')).toBe('add')
    expect(modernHeaders(hop(), toolCall('echo'), none, [])).not.toBe(echo)
  })

  it('of one call alone, a session or mirrored parameters, reach no other call', () => {
    const one = hop()
    const shared = modernHeaders(one, toolCall('echo'), none, [])
    const inSession = modernHeaders({ ...one, sessionId: 's-1' }, toolCall('echo'), none, [])
    const mirrored = new Headers({ 'mcp-param-region': 'eu' })
    const own = modernHeaders(one, toolCall('echo'), mirrored, [])
    expect(inSession.get('mcp-session-id')).toBe('s-1')
    expect(own.get('mcp-param-region')).toBe('eu')
    const next = modernHeaders(one, toolCall('echo'), none, [])
    expect(next).toBe(shared)
    expect([next.get('mcp-session-id'), next.get('mcp-param-region')]).toEqual([null, null])
  })

  it('are kept for names of a usual length', () => {
    const one = hop()
    const long = 'n'.repeat(129)
    const first = modernHeaders(one, toolCall(long), none, [])
    expect(modernHeaders(one, toolCall(long), none, [])).not.toBe(first)
    expect(first.get('mcp-name')).toBe(long)
  })
})
