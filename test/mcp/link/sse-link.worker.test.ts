import { describe, expect, it } from 'vitest'
import { data, fault, faultOf, linkTo, methods, reply } from './fake-servers.ts'

describe('a link of sse', () => {
  it.each(['/messages?n=', 'messages?n=', 'https://up.example/m?n='])(
    'sends messages where the first event says: %s',
    async (endpoint) => {
      const { server, open } = linkTo('sse')
      server.endpoint = endpoint
      await open()
      const [, posted] = server.requests
      expect(posted?.url).toBe(new URL(`${endpoint}0`, 'https://up.example/sse').href)
    },
  )

  it.each([
    'https://other.example/messages',
    'http://up.example/messages',
    'https://up.example:444/messages',
    '//other.example/messages',
    'javascript:alert(1)',
    'https://',
  ])('sends nothing to another origin: %s', async (endpoint) => {
    const { server, initialize } = linkTo('sse')
    server.endpoint = endpoint
    const response = await initialize()
    expect(faultOf(response)).toBe('refused_address')
    expect(server.requests).toHaveLength(1)
    expect(server.connections[0]?.isClosed()).toBe(true)
  })

  it('waits for the first event no longer than it may', async () => {
    const { server, initialize } = linkTo('sse')
    server.endpoint = undefined
    const response = await initialize({}, '2025-11-25', { timeoutMs: 20 })
    expect(faultOf(response)).toBe('timeout')
  })

  it('takes a page for the answer of another transport', async () => {
    const { server, initialize } = linkTo('sse')
    server.connectBy = reply(200, '<p>hello</p>', 'text/html')
    expect((await initialize()).status).toBe(405)
  })

  it('takes 200 for accepted', async () => {
    const { server, open, request } = linkTo('sse')
    const id = await open()
    server.acceptBy = reply(200, 'ok')
    const response = await request('tools/list', {}, id)
    expect(response.status).toBe(200)
    await response.body?.cancel()
  })

  it('tells of a message that was not accepted, and keeps the session', async () => {
    const { server, open, request, post } = linkTo('sse')
    const id = await open()
    const error = '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"bad"}}'
    server.acceptBy = reply(400, error, 'application/json')
    const response = await request('tools/call', {}, id)
    expect([response.status, await response.text()]).toEqual([400, error])
    server.acceptBy = fault('network')
    expect(faultOf(await request('tools/call', {}, id))).toBe('network')
    expect(faultOf(await post({ method: 'notifications/x' }, id))).toBe('network')
    server.acceptBy = undefined
    const answered = await request('tools/list', {}, id)
    expect(data((await answered.text()).trim())).toMatchObject({ result: {} })
  })

  it('passes on a cancel of a message of which nobody knows whether it arrived', async () => {
    const { server, open, request, post } = linkTo('sse')
    const id = await open()
    server.acceptBy = fault('timeout')
    expect(faultOf(await request('tools/call', {}, id))).toBe('timeout')
    server.acceptBy = undefined
    await post({ method: 'notifications/cancelled', params: { requestId: 'r2' } }, id)
    expect(methods(server.connections[0]?.got ?? [])).toContain('notifications/cancelled')
  })

  it('ends a session that the server says it does not know', async () => {
    const { server, open, request } = linkTo('sse')
    const id = await open()
    server.acceptBy = reply(404)
    expect((await request('tools/call', {}, id)).status).toBe(404)
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
  })

  it('has a connection for each session, whatever its client can do', async () => {
    const { server, open } = linkTo('sse')
    await Promise.all([open(), open()])
    expect(server.connections).toHaveLength(2)
  })

  it('closes a connection on which an event is too large', async () => {
    const { server, open } = linkTo('sse')
    await open()
    server.connections[0]?.send('x'.repeat(33 * 1024 * 1024))
    await expect.poll(() => server.connections[0]?.isClosed()).toBe(true)
  })
})
