import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callModern, eventually, messageOf, type Stack, startStack } from '../support/e2e.ts'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'

/** How late another isolate may learn of a change (DESIGN.md, Decision 4). */
const STALE_MS = 5_000
const LIMIT = 60
const BREAKER_OPEN_MS = 2_000

let stack: Stack
let modern: ModernServer
beforeAll(async () => {
  modern = await startModernServer()
  stack = await startStack({
    isolates: 3,
    clients: {
      'eager-service': { groups: ['/admins'] },
      'breaking-service': { groups: ['/admins'] },
      'bursting-service': { groups: ['/admins'] },
      'probing-service': { groups: ['/admins'] },
    },
    vars: {
      LIMIT_PRINCIPAL_PER_MINUTE: String(LIMIT),
      BREAKER_OPEN_MS: String(BREAKER_OPEN_MS),
    },
  })
  await stack.register('modern', modern.url)
})
afterAll(() => Promise.all([stack.stop(), modern.stop()]))

const HEADERS = { 'x-request-id': 'e2e-request' }
const callOn = (isolate: number, token: string, path = 'modern') =>
  callModern(stack.mcp(path, isolate), token, 'echo', { message: 'hi' }, HEADERS)

describe('isolates that share objects and D1', () => {
  it('all refuse a disabled server within five seconds, busy or idle', async () => {
    const token = await stack.idp.token('user-service')
    for (const isolate of [0, 1, 2]) expect((await callOn(isolate, token)).status).toBe(200)
    expect((await stack.api('POST', '/servers/modern/toggle', { enabled: false })).status).toBe(200)
    const disabledAt = Date.now()
    const notFound = {
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: -31006,
        message: 'There is no server named "modern".',
        data: {
          code: 'not_found',
          fix: 'Check the name, or ask for access to it.',
          requestId: 'e2e-request',
        },
      },
    }
    // The isolate that made the change knows at once.
    expect((await callOn(0, token)).status).toBe(404)

    const last = await eventually(
      () => callOn(1, token),
      ({ status }) => status === 404,
    )
    expect(Date.now() - disabledAt).toBeLessThanOrEqual(STALE_MS)
    expect(await messageOf(last)).toEqual(notFound)

    // The idle one: its first call after the time asks before it trusts what it remembers.
    const waitMs = disabledAt + STALE_MS - Date.now()
    await new Promise((resolve) => setTimeout(resolve, waitMs + 100))
    const idle = await callOn(2, token)
    expect(idle.status).toBe(404)
    expect(await messageOf(idle)).toEqual(notFound)
  })

  it('count one limit together', async () => {
    await untilMinuteIsYoung()
    const token = await stack.idp.token('eager-service')
    await stack.register('popular', modern.url)
    const statuses: number[] = []
    let refusal: Response | undefined
    for (let count = 0; count < 2 * LIMIT; count += 1) {
      const response = await callOn(1 + (count % 2), token, 'popular')
      statuses.push(response.status)
      if (response.status === 429) refusal ??= response
      else await response.text()
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(LIMIT)
    expect(statuses.filter((status) => status === 429)).toHaveLength(LIMIT)
    const seconds = Number(refusal?.headers.get('retry-after'))
    expect(seconds).toBeGreaterThanOrEqual(1)
    // The rest of the window, and what the first permit of the next needs to slide out.
    expect(seconds).toBeLessThanOrEqual(60 + 60 / LIMIT)
    expect(refusal && (await messageOf(refusal))).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: -31011,
        message: `The limit of this principal is used up; try again in ${seconds} s.`,
        data: {
          scope: 'principal',
          retryAfterSeconds: seconds,
          code: 'rate_limited',
          fix: `Try again in ${seconds} s.`,
          requestId: 'e2e-request',
        },
      },
    })
  })

  it("count a tenant's own rule together, in parallel bursts, and say so alike", async () => {
    const token = await stack.idp.token('bursting-service')
    const rule = { name: 'bursts', per: ['principal', 'server'], limit: 30, window: 'minute' }
    const match = { servers: ['bursty'] }
    await stack.register('bursty', modern.url)
    expect((await stack.api('POST', '/limits', { ...rule, match })).status).toBe(201)
    // Idle isolates ask before they trust what they remember: within five seconds all know.
    await new Promise((resolve) => setTimeout(resolve, STALE_MS + 100))
    await untilMinuteIsYoung()
    const responses = await Promise.all(
      Array.from({ length: 60 }, (_, n) => callOn(1 + (n % 2), token, 'bursty')),
    )
    for (const response of responses) await response.text()
    const served = responses.filter(({ status }) => status === 200).length
    expect(served).toBeLessThanOrEqual(30)
    expect(served).toBeGreaterThan(10)
    const refused = responses.find(({ status }) => status === 429)
    expect(refused?.headers.get('ratelimit-policy')).toBe('"bursts";q=30;w=60;gatehouse-approx')
    expect(refused?.headers.get('ratelimit')).toBe(
      `"bursts";r=0;t=${refused?.headers.get('retry-after')}`,
    )
  })

  it('share one breaker for an endpoint, which closes again', async () => {
    const token = await stack.idp.token('breaking-service')
    const dying = await startModernServer()
    const port = Number(new URL(dying.url).port)
    await stack.register('dying', dying.url)
    expect((await callOn(1, token, 'dying')).status).toBe(200)
    await dying.stop()

    // Four failures here and one there make the five that open it.
    for (let count = 0; count < 4; count += 1) await expectFailed(await callOn(1, token, 'dying'))
    await expectFailed(await callOn(2, token, 'dying'))
    const refusal = await eventually(
      () => callOn(2, token, 'dying'),
      ({ status }) => status !== 200,
    )
    expect(refusal.status).toBe(503)
    expect(refusal.headers.get('retry-after')).toBe('2')
    expect(await messageOf(refusal)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: -31014,
        message: 'The server "dying" is failing; the gateway tries it again in 2 s.',
        data: {
          retryAfterSeconds: 2,
          code: 'upstream_unavailable',
          fix: 'Try again in 2 s.',
          requestId: 'e2e-request',
        },
      },
    })

    const again = await startModernServer(port)
    const back = await eventually(
      () => callOn(2, token, 'dying'),
      ({ status }) => status === 200,
    )
    expect(await messageOf(back)).toMatchObject({ result: { content: [{ text: 'Echo: hi' }] } })
    await again.stop()
  })

  it('let one probe through between them, however many ask at once', async () => {
    const token = await stack.idp.token('probing-service')
    const healthy = await startModernServer()
    const port = Number(new URL(healthy.url).port)
    await stack.register('probed', healthy.url)
    await healthy.stop()
    const sick = await startSick(port)
    try {
      for (let count = 0; count < 5; count += 1) {
        await (await callOn(1 + (count % 2), token, 'probed')).text()
      }
      // Each has seen that it is open, and so knows until when.
      for (const isolate of [1, 2]) {
        await eventually(
          () => callOn(isolate, token, 'probed'),
          ({ status }) => status === 503,
        )
      }
      await new Promise((resolve) => setTimeout(resolve, BREAKER_OPEN_MS + 100))
      const before = sick.requests()
      sick.hold()
      const calls = Array.from({ length: 20 }, (_, at) => callOn(1 + (at % 2), token, 'probed'))
      await expect.poll(() => sick.requests() - before).toBe(1)
      sick.answer()
      const statuses = (await Promise.all(calls)).map(({ status }) => status)
      expect(sick.requests() - before).toBe(1)
      expect(statuses.filter((status) => status === 503)).toHaveLength(19)
    } finally {
      await sick.stop()
    }
  })
})

/** Answers 500, or holds what comes until it may answer. */
async function startSick(port: number) {
  const waiting: (() => void)[] = []
  let count = 0
  let isHolding = false
  const server = createServer((_request, response) => {
    count += 1
    const answer = (): void => void response.writeHead(500).end()
    if (isHolding) waiting.push(answer)
    else answer()
  })
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    requests: () => count,
    hold() {
      isHolding = true
    },
    answer() {
      isHolding = false
      for (const answer of waiting.splice(0)) answer()
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** The window slides from minute to minute: over a boundary a few permits come back. */
async function untilMinuteIsYoung(): Promise<void> {
  const leftMs = 60_000 - (Date.now() % 60_000)
  if (leftMs < 5_000) await new Promise((resolve) => setTimeout(resolve, leftMs))
}

async function expectFailed(response: Response): Promise<void> {
  expect(response.status).toBe(200)
  expect(await messageOf(response)).toMatchObject({ error: { code: -31012 } })
}
