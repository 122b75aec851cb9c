import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/core/index.ts'
import { MODERN_LEG } from '../../../src/mcp/ask/ask-request.ts'
import { errorReply } from '../../../src/mcp/wire/reply.ts'
import { json, LEGACY, OK, PRINCIPAL, SERVER, setUp } from './ask-world.ts'

describe('a request in the modern era', () => {
  it('says in headers what it says in the body', async () => {
    const { call, seen } = setUp(() => json(OK))
    const params = { name: 'find', arguments: { zone: 'Zürich' } }
    expect(await call(MODERN_LEG, 'tools/call', params)).toMatchObject({
      kind: 'result',
      result: { content: [] },
    })
    const [{ headers, body } = { headers: new Headers(), body: '' }] = seen
    expect(Object.fromEntries(headers)).toEqual({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'find',
      'mcp-param-zone': '=?base64?WsO8cmljaA==?=',
    })
    expect(JSON.parse(body)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
          'io.modelcontextprotocol/clientInfo': { name: 'gatehouse', version: '0.1.0' },
        },
      },
    })
  })

  it('has no name header where nothing is named', async () => {
    const { call, seen } = setUp(() => json(OK))
    await call(MODERN_LEG, 'tools/list')
    expect(seen[0]?.headers.has('mcp-name')).toBe(false)
  })
})

describe('a request in the legacy era', () => {
  it('names its session and revision, and carries no envelope', async () => {
    const { call, seen } = setUp(() => json(OK))
    await call(LEGACY, 'tools/call', { name: 'find' })
    const [{ headers, body } = { headers: new Headers(), body: '' }] = seen
    expect(Object.fromEntries(headers)).toEqual({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': 'sealed',
    })
    expect(JSON.parse(body).params).toEqual({ name: 'find' })
  })

  it('gives the session that an answer opened', async () => {
    const { call } = setUp(() => json(OK, { 'mcp-session-id': 'new' }))
    expect(await call({ era: 'legacy' }, 'initialize')).toMatchObject({ sessionId: 'new' })
  })

  it('ends a session whose own answer cannot be read', async () => {
    const { call, seen, behind } = setUp(() => json('{', { 'mcp-session-id': 'new' }))
    await expect(call({ era: 'legacy' }, 'initialize')).rejects.toMatchObject({
      code: 'upstream_failed',
    })
    await Promise.all(behind)
    expect(seen.at(-1)?.method).toBe('DELETE')
    expect(seen.at(-1)?.headers.get('mcp-session-id')).toBe('new')
  })
})

describe('a notification', () => {
  const notify = ({ ask, ctx }: ReturnType<typeof setUp>) =>
    ask.notify(ctx, PRINCIPAL, SERVER, LEGACY, { method: 'notifications/initialized' })

  it('has no id', async () => {
    const setup = setUp(() => new Response(null, { status: 202 }))
    await notify(setup)
    expect(JSON.parse(setup.seen[0]?.body ?? '')).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/initialized',
      params: {},
    })
  })

  it('throws what it was refused with', async () => {
    const setup = setUp((inner) => {
      inner.facts.outcome = 'session_not_found'
      return errorReply(new GatewayError('session_not_found', 'Gone.'), 'null', inner.requestId)
    })
    await expect(notify(setup)).rejects.toMatchObject({ code: 'session_not_found' })
  })
})
