import { describe, expect, it } from 'vitest'
import { call, callsInSession, gatewayFor } from '../support/bounded-calls.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

describe('a server with room for one call', () => {
  const room = scriptedRoom('bulkhead')
  const body = { timeoutMs: 1_000, resilience: { bulkhead: { maxConcurrent: 1, maxQueued: 0 } } }

  it('refuses the second with 503, and serves again when the first has ended', async () => {
    const { gateway, token } = await gatewayFor(room, { ...body, timeoutMs: 30_000 })
    const first = gateway.fetch('/scripted/mcp', call(token, 'held'))
    await expect.poll(async () => (await room.log()).log.length).toBe(1)
    const second = await gateway.fetch('/scripted/mcp', call(token, 'echo'))
    expect(second.status).toBe(503)
    expect(second.headers.get('retry-after')).toBe('1')
    expect(await second.json()).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31021,
        message: 'The server "scripted" has as many calls as it may have at once.',
        data: {
          code: 'no_capacity',
          fix: 'Try again in 1 s.',
          requestId: second.headers.get('x-request-id'),
          retryAfterSeconds: 1,
        },
      },
    })
    await room.control({ release: true })
    expect((await first).status).toBe(200)
    await (await first).text()
    expect((await gateway.fetch('/scripted/mcp', call(token, 'echo'))).status).toBe(200)
  })

  it('gives who waited for it all of the time that a server has, however long the wait was', async () => {
    const { gateway, token } = await gatewayFor(
      room,
      { timeoutMs: 30_000, resilience: { bulkhead: { maxConcurrent: 1, queueMs: 10_000 } } },
      { vars: { BODY_TIMEOUT_MS: '200' } },
    )
    const first = gateway.fetch('/scripted/mcp', call(token, 'held'))
    await expect.poll(async () => (await room.log()).log.length).toBe(1)
    const second = gateway.fetch('/scripted/mcp', call(token, 'echo'))
    await new Promise((resolve) => setTimeout(resolve, 400))
    await room.control({ release: true })
    await (await first).text()
    expect(await (await second).json()).toMatchObject({ id: 'mine', result: {} })
  })

  it('is full until the last byte of a stream, or until its reader leaves', async () => {
    const { gateway, token } = await gatewayFor(room, { ...body, timeoutMs: 30_000 })
    const streamed = await gateway.fetch('/scripted/mcp', call(token, 'drip'))
    expect((await gateway.fetch('/scripted/mcp', call(token, 'echo'))).status).toBe(503)
    await streamed.body?.cancel()
    expect((await gateway.fetch('/scripted/mcp', call(token, 'echo'))).status).toBe(200)
  })

  const TOOLS: readonly [string, object?][] = [
    ['echo'],
    ['exotic_sse'],
    ['fails'],
    ['rpc_error'],
    ['status', { status: 500 }],
    ['status', { status: 404 }],
    ['rpc_error', { status: 400 }],
    ['html'],
    ['empty'],
    ['die_before'],
    ['die_at_json'],
    ['die_mid_json'],
    ['die_mid_sse'],
    ['sse_no_answer'],
    ['silent'],
    ['hang'],
    ['answer_and_hang'],
    ['redirect', { to: '/elsewhere' }],
  ]

  it.each([
    ['modern', 'modern'],
    ['legacy', 'dual'],
  ] as const)('has its room back however a %s call ended', async (era, url) => {
    const endpoints = [{ url: room.url(url) }]
    const { gateway, token } = await gatewayFor(room, { ...body, endpoints })
    const inSession = era === 'legacy' ? await callsInSession(gateway, token) : undefined
    const send = async (name: string, args: object = {}) =>
      inSession
        ? (await inSession(name, args)).response
        : gateway.fetch('/scripted/mcp', call(token, name, args))
    for (const [name, args] of TOOLS) {
      const ended = await send(name, args)
      await ended.text().catch(() => undefined)
      const next = await send('echo')
      expect([name, next.status]).toEqual([name, 200])
      expect(await next.json()).toMatchObject({ id: 'mine', result: {} })
    }
  })

  it('has its room back however a call ended that changed eras', async () => {
    const { gateway, token } = await gatewayFor(room, body)
    const send = await callsInSession(gateway, token)
    for (const [name, args] of TOOLS) {
      const { response, settle } = await send(name, args)
      await response.text().catch(() => undefined)
      await settle()
      const next = await send('echo')
      expect([name, next.response.status]).toEqual([name, 200])
      expect(await next.response.text()).toContain('"result"')
    }
  })
})

describe('a tenant with room for one call', () => {
  const room = scriptedRoom('tenant-bulkhead')

  it('lets the next one wait until the first has ended', async () => {
    const vars = { BULKHEAD_TENANT_CONCURRENT: '1' }
    const { gateway, token } = await gatewayFor(room, {}, { vars })
    const first = gateway.fetch('/scripted/mcp', call(token, 'held'))
    await expect.poll(async () => (await room.log()).log.length).toBe(1)
    const second = gateway.fetch('/scripted/mcp', call(token, 'echo'))
    await room.control({ release: true })
    await (await first).text()
    expect(await (await second).json()).toMatchObject({ id: 'mine', result: {} })
  })

  it('refuses those who wait too long with 503', async () => {
    const vars = { BULKHEAD_TENANT_CONCURRENT: '1' }
    const { gateway, token } = await gatewayFor(room, {}, { vars })
    const first = gateway.fetch('/scripted/mcp', call(token, 'held'))
    await expect.poll(async () => (await room.log()).log.length).toBe(1)
    const second = await gateway.fetch('/scripted/mcp', call(token, 'echo'))
    expect(second.status).toBe(503)
    expect(await second.json()).toMatchObject({ error: { data: { code: 'no_capacity' } } })
    await room.control({ release: true })
    await (await first).text()
  })
})
