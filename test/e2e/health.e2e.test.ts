import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, type Stack, startStack } from '../support/e2e.ts'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'
import { type RunningUpstream, startEverything } from '../support/processes.ts'

let stack: Stack
let modern: ModernServer
let everything: RunningUpstream
beforeAll(async () => {
  ;[stack, modern, everything] = await Promise.all([
    startStack(),
    startModernServer(),
    startEverything(),
  ])
  await stack.register('modern', modern.url)
  await stack.register('everything', everything.url)
})
afterAll(() => Promise.all([stack, modern, everything].map((part) => part.stop())))

interface Endpoint {
  readonly health: string
  readonly consecutiveFailures: number
  readonly lastLatencyMs: number | null
  readonly lastProbedAt: string | null
  readonly lastError: string | null
}

async function healthOf(path: string): Promise<{ health: unknown; endpoint: Endpoint }> {
  const { status, body } = await stack.api('GET', `/servers/${path}/health`)
  expect(status).toBe(200)
  const [endpoint] = body['endpoints'] as readonly Endpoint[]
  if (!endpoint) throw new Error(`${path} has no endpoint`)
  return { health: body['health'], endpoint }
}

/** One round of the cron, until both servers were probed in it. */
async function round(): Promise<void> {
  const before = Date.now()
  expect(await stack.gateway.scheduled('*/5 * * * *')).toBe('ok')
  for (const path of ['modern', 'everything']) {
    const { endpoint } = await eventually(
      () => healthOf(path),
      (found) => Date.parse(found.endpoint.lastProbedAt ?? '') >= before,
    )
    expect(Date.parse(endpoint.lastProbedAt ?? '')).toBeGreaterThanOrEqual(before)
  }
}

describe('health checks by cron', () => {
  it('probe servers of both eras and keep their latency', async () => {
    await round()
    for (const path of ['modern', 'everything']) {
      const { health, endpoint } = await healthOf(path)
      expect(health).toBe('healthy')
      expect(endpoint).toMatchObject({
        health: 'healthy',
        consecutiveFailures: 0,
        lastLatencyMs: expect.any(Number),
        lastError: null,
      })
    }
  })

  it('show an endpoint that died as unhealthy after three rounds, and not before', async () => {
    await everything.stop()
    const seen: unknown[] = []
    for (let count = 1; count <= 3; count += 1) {
      await round()
      const { health, endpoint } = await healthOf('everything')
      seen.push([health, endpoint.consecutiveFailures])
    }
    expect(seen).toEqual([
      ['healthy', 1],
      ['healthy', 2],
      ['unhealthy', 3],
    ])
    expect((await healthOf('everything')).endpoint).toMatchObject({
      health: 'unhealthy',
      lastLatencyMs: null,
      lastError: expect.stringMatching(/failed or was closed before it answered\.$/),
    })
    expect((await healthOf('modern')).health).toBe('healthy')
    const { body } = await stack.api('GET', '/servers?health=unhealthy')
    expect(body['servers']).toMatchObject([{ path: 'everything', health: 'unhealthy' }])
    expect(stack.events()).toContainEqual(
      expect.objectContaining({
        type: 'health_changed',
        tenant: 'default',
        server: 'everything',
        health: 'unhealthy',
      }),
    )
  })

  it('show it as healthy again after two good rounds', async () => {
    everything = await startEverything(Number(new URL(everything.url).port))
    await round()
    expect((await healthOf('everything')).health).toBe('unhealthy')
    await round()
    expect((await healthOf('everything')).health).toBe('healthy')
  })
})
