import { beforeAll, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import {
  createTestGateway,
  hello,
  legacy,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const SERVERS = 6

/** What one message of a client costs when it is for many upstream sessions. */
describe('a shared session with many upstream sessions', () => {
  const upstream = createFakeUpstream([])
  const opened: object[] = []
  let waiting: (() => void)[] = []
  let told = 0
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({
      seams: { fetcher },
      bindings: {
        SESSIONS: {
          getByName: () => ({
            isEnded: async () => false,
            opened: async () => opened,
            setLogLevel: async () => undefined,
            end: async () => opened,
          }),
        } as never,
      },
    })
    token = await gateway.token()
    for (let index = 0; index < SERVERS; index += 1) {
      const path = `server-${index}`
      const body = { path, name: path, endpoints: [{ url: `https://${path}.example/` }] }
      const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
      expect(created.status).toBe(201)
      const { id, endpoints } = await created.json<{ id: string; endpoints: { id: string }[] }>()
      const endpoint = endpoints[0]?.id
      opened.push({ server: id, path, endpoint, upstreamId: path, version: '2025-11-25' })
    }
  })

  /** Holds what the upstreams are told until the test lets it go. */
  async function fetcher(request: Request): Promise<Response> {
    const body = await request.clone().text()
    if (request.method === 'DELETE' || /setLevel|roots/.test(body)) {
      told += 1
      await new Promise<void>((resolve) => waiting.push(resolve))
      return new Response(null, { status: 202 })
    }
    const response = await upstream.fetcher(request)
    const text = await response.text()
    const withLogging = text.replace('"capabilities":{', '"capabilities":{"logging":{},')
    return new Response(text === '' ? null : withLogging, response)
  }

  function release(): void {
    for (const go of waiting) go()
    waiting = []
  }

  const message = (headers: Record<string, string>, method: string, id?: symbol) =>
    legacy(token, method, { level: 'info' }, headers, id ?? 1)

  it.each<[string, (headers: Record<string, string>) => RequestInit, number]>([
    ['sets a log level', (headers) => message(headers, 'logging/setLevel'), 200],
    [
      'says that roots changed',
      (headers) => message(headers, 'notifications/roots/list_changed', NOTIFICATION),
      202,
    ],
    [
      'ends',
      (headers) => ({
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}`, ...headers },
      }),
      204,
    ],
  ])('tells four of them at once when it %s', async (_what, init, status) => {
    const greeted = await gateway.fetch('/mcp', legacy(token, 'initialize', hello()))
    await greeted.text()
    const headers = { 'mcp-session-id': greeted.headers.get('mcp-session-id') ?? '' }
    told = 0
    const answer = gateway.fetchWith('/mcp', init(headers))
    await expect.poll(() => told).toBe(4)
    release()
    await expect.poll(() => told).toBe(SERVERS)
    expect(waiting).toHaveLength(SERVERS - 4)
    release()
    const { response, settle } = await answer
    expect(response.status).toBe(status)
    await settle()
    expect(told).toBe(SERVERS)
  })
})
