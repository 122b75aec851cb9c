import { describe, expect, inject, it } from 'vitest'
import { createTestGateway, hello, legacy, modern, NOTIFICATION, rest } from '../support/gateway.ts'

describe('one call, end to end', () => {
  it('registers real servers of both eras and calls their tools', async () => {
    const gateway = createTestGateway()
    const token = await gateway.token()
    for (const [path, url] of [
      ['modern', inject('modernUrl')],
      ['everything', inject('everythingUrl')],
    ]) {
      const created = await gateway.fetch(
        '/api/v1/servers',
        rest(token, 'POST', { path, name: path, endpoints: [{ url }] }),
      )
      expect(await created.json()).toMatchObject({ path })
      expect(created.status).toBe(201)
    }
    const called = await gateway.fetch(
      '/modern/mcp',
      modern(token, 'tools/call', { name: 'echo', arguments: { message: 'hi' } }, {}, 'my id'),
    )
    const text = await called.text()
    expect(text).toContain('Echo: hi')
    expect(text).toContain('"id":"my id"')

    const opened = await gateway.fetch('/everything/mcp', legacy(token, 'initialize', hello()))
    expect(await opened.text()).toContain('protocolVersion')
    const session = opened.headers.get('mcp-session-id') ?? ''
    const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }
    await gateway.fetch(
      '/everything/mcp',
      legacy(token, 'notifications/initialized', {}, headers, NOTIFICATION),
    )
    const echoed = await gateway.fetch(
      '/everything/mcp',
      legacy(token, 'tools/call', { name: 'echo', arguments: { message: 'ho' } }, headers, 7),
    )
    const body = await echoed.text()
    expect(body).toContain('Echo: ho')
    expect(body).toContain('"id":7')
  })
})
