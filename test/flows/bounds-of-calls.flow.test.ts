import { describe, expect, it } from 'vitest'
import { createTestGateway, hello, legacy, modern, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { FIRST_EVENT } from '../support/scripted-tools.ts'

const VARS = { BREAKER_FAILURE_THRESHOLD: '1000', BREAKER_FAILURE_PERCENT: '100' }
const call = (token: string, name: string, args: object = {}) =>
  modern(token, 'tools/call', { name, arguments: args }, {}, 'mine')

async function gatewayFor(
  room: ReturnType<typeof scriptedRoom>,
  body: object,
  options: Parameters<typeof createTestGateway>[0] = {},
): Promise<{ gateway: TestGateway; token: string }> {
  const gateway = createTestGateway({ ...options, vars: { ...VARS, ...options.vars } })
  const token = await gateway.token()
  await room.register(gateway, token, body)
  await room.log()
  gateway.events.length = 0
  return { gateway, token }
}

/** Opens a legacy session, and gives what calls in it. */
async function openSession(gateway: TestGateway, token: string) {
  const opened = await gateway.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
  await opened.text()
  const headers = {
    'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
    'mcp-protocol-version': '2025-11-25',
  }
  return (name: string, args: object = {}) =>
    gateway.fetchWith(
      '/scripted/mcp',
      legacy(token, 'tools/call', { name, arguments: args }, headers, 'mine'),
    )
}

describe('a call that takes longer than its server may', () => {
  const room = scriptedRoom('deadlines')
  const late = (ms: number, response: Response) => ({
    jsonrpc: '2.0',
    id: 'mine',
    error: {
      code: -31015,
      message: `The server "scripted" did not finish within ${ms} ms.`,
      data: {
        code: 'upstream_timeout',
        fix: 'Whether the request took effect is unknown; check before you send it again.',
        requestId: response.headers.get('x-request-id'),
      },
    },
  })

  async function expectClosed(tool: string): Promise<void> {
    const closed: string[] = []
    await expect
      .poll(async () => {
        closed.push(...(await room.log()).closed)
        return closed
      })
      .toContain(tool)
  }

  it('is one error under its id, and its upstream is left', async () => {
    const { gateway, token } = await gatewayFor(room, { resilience: { deadlineMs: 200 } })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'silent'))
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual(late(200, response))
    await expectClosed('silent')
    expect(gateway.events).toMatchObject([{ tool: 'silent', outcome: 'upstream_timeout' }])
  })

  it('is the last event of a stream that had begun, however lively it was', async () => {
    const { gateway, token } = await gatewayFor(room, { resilience: { deadlineMs: 300 } })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'hang'))
    const text = await response.text()
    const last = `event: message\ndata: ${JSON.stringify(late(300, response))}\n\n`
    expect(text).toBe(`${FIRST_EVENT}${last}`)
    await expectClosed('hang')
    expect(gateway.events.at(-1)).toMatchObject({ tool: 'hang', outcome: 'upstream_timeout' })
  })

  it('goes by the time of its tool, where that is named', async () => {
    const resilience = { deadlineMs: 60_000, toolDeadlinesMs: { silent: 150 } }
    const { gateway, token } = await gatewayFor(room, { resilience })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'silent'))
    expect(await response.json()).toEqual(late(150, response))
    const other = await gateway.fetch('/scripted/mcp', call(token, 'echo'))
    expect(await other.json()).toMatchObject({ id: 'mine', result: {} })
  })

  it('includes its retries', async () => {
    const { gateway, token } = await gatewayFor(room, {
      trustAnnotations: true,
      timeoutMs: 1_000,
      resilience: { deadlineMs: 1_300, retries: { maxAttempts: 5 } },
    })
    await room.control({ failNext: 5 })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'echo'))
    expect(await response.json()).toMatchObject({ id: 'mine', error: {} })
    expect((await room.log()).log.length).toBeGreaterThan(1)
    await room.control({ failNext: 0 })
  })

  it.each(['silent', 'hang'])('is cancelled in a legacy session (%s)', async (tool) => {
    const endpoints = [{ url: room.url('dual') }]
    const { gateway, token } = await gatewayFor(room, {
      endpoints,
      resilience: { deadlineMs: 300 },
    })
    const send = await openSession(gateway, token)
    await room.log()
    const { response, settle } = await send(tool)
    expect(await response.text()).toContain('did not finish within 300 ms')
    await settle()
    const { log } = await room.log()
    const bodies = log.map(({ body }) => JSON.parse(body))
    expect(bodies).toMatchObject([
      { method: 'tools/call' },
      { method: 'notifications/cancelled', params: { requestId: bodies[0].id } },
    ])
  })

  it('does not end in time what is in time: a stream is whole', async () => {
    const { gateway, token } = await gatewayFor(room, { resilience: { deadlineMs: 60_000 } })
    const response = await gateway.fetch('/scripted/mcp', call(token, 'exotic_sse'))
    expect(await response.text()).toContain('hologram')
    const large = await gateway.fetch('/scripted/mcp', call(token, 'exotic'))
    expect(await large.json()).toMatchObject({ id: 'mine', result: {} })
  })
})

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
          fix: 'Try again after Retry-After seconds.',
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
    const inSession = era === 'legacy' ? await openSession(gateway, token) : undefined
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
    const send = await openSession(gateway, token)
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

describe('a hedged read', () => {
  const [slow, fast] = [scriptedRoom('hedge-slow'), scriptedRoom('hedge-fast')]

  it('is answered by the endpoint that is not slow, and the other one is left', async () => {
    let isSlow = false
    const aborted: string[] = []
    const fetcher = (request: Request): Promise<Response> => {
      if (!isSlow || !request.url.includes('hedge-slow')) return fetch(request)
      return new Promise((_resolve, reject) => {
        request.signal.addEventListener('abort', () => {
          aborted.push(request.url)
          reject(new Error('aborted'))
        })
      })
    }
    const endpoints = [{ url: slow.url('modern') }, { url: fast.url('modern') }]
    const { gateway, token } = await gatewayFor(
      slow,
      { endpoints, resilience: { hedgeAfterMs: 20 } },
      { seams: { fetcher } },
    )
    isSlow = true
    let hedged = 0
    for (let count = 0; count < 8; count += 1) {
      const { response, settle } = await gateway.fetchWith(
        '/scripted/mcp',
        modern(token, 'tools/list', {}, {}, 'mine'),
      )
      expect(await response.json()).toMatchObject({ id: 'mine', result: {} })
      await settle()
      const line = gateway.events.findLast(({ type }) => type === 'request')
      if (line?.['attempts'] === 2) hedged += 1
    }
    expect(aborted).toHaveLength(hedged)
    expect(gateway.events.filter(({ type }) => type === 'breaker_changed')).toEqual([])
  })
})
