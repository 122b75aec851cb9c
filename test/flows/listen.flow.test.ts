import { describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import { createTestGateway, modern, rest } from '../support/gateway.ts'

const TOLD = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
const CAPABILITIES = { tools: { listChanged: true } }

/** A modern server that tells of its changes, and a clerk who listens on one isolate. */
async function listening() {
  let now = Date.now()
  let say: (message: string) => void = () => undefined
  async function fetcher(request: Request): Promise<Response> {
    const { id, method } = JSON.parse((await request.text()) || '{}')
    const base = { resultType: 'complete', ttlMs: 0, cacheScope: 'public' }
    const results: Record<string, object> = {
      'server/discover': { supportedVersions: ['2026-07-28'], capabilities: CAPABILITIES },
      'tools/list': { tools: [] },
    }
    if (method !== 'subscriptions/listen') {
      return Response.json({ jsonrpc: '2.0', id, result: { ...base, ...results[method] } })
    }
    const { readable, writable } = new IdentityTransformStream()
    const writer = writable.getWriter()
    say = (message) => void writer.write(new TextEncoder().encode(`data: ${message}\n\n`))
    say(TOLD)
    return new Response(readable, { headers: { 'content-type': 'text/event-stream' } })
  }
  const seams = { clock: { now: () => now }, fetcher }
  const here = createTestGateway({ seams })
  const there = createTestGateway({ seams, tenant: here.tenant })
  const admin = await there.token()
  const change = async (method: string, path: string, body: unknown) => {
    const changed = await there.fetch(`/api/v1${path}`, rest(admin, method, body))
    expect(changed.ok).toBe(true)
  }
  await change('POST', '/servers', {
    ...{ path: 'one', name: 'One' },
    endpoints: [{ url: 'https://one.example/mcp' }],
  })
  await change('PUT', '/policy', {
    group_mappings: { clerks: ['clerk'] },
    clerk: [{ server: 'one', methods: ['*'], tools: ['*'] }],
  })
  const clerk = await here.token({ subject: 'cleo', groups: ['clerks'], ttlSeconds: 60 })
  const params = { notifications: { toolsListChanged: true } }
  const response = await here.fetch('/one/mcp', modern(clerk, 'subscriptions/listen', params))
  expect(response.status).toBe(200)
  const events = readEvents(response)
  expect(await events.next()).toContain(TOLD)
  const advance = (ms: number) => {
    now += ms
  }
  return { here, change, events, advance, say: (message: string) => say(message) }
}

describe('a subscription to changes (DESIGN.md, Decision 4)', () => {
  it('goes on while its client may hear it', async () => {
    const { events, advance, say } = await listening()
    advance(6_000)
    say(TOLD)
    expect(await events.next()).toContain(TOLD)
    await events.cancel()
  })

  it.each<[string, string, string, unknown]>([
    ['its server is disabled', 'POST', '/servers/one/toggle', { enabled: false }],
    ['its server is hidden', 'PATCH', '/servers/one', { visibility: 'private' }],
    ['its client lost the right', 'PUT', '/policy', { group_mappings: {} }],
  ])('ends within 5 s when %s, and tells nothing more', async (_title, method, path, body) => {
    const { change, events, advance, say } = await listening()
    await change(method, path, body)
    advance(6_000)
    say(TOLD)
    expect(await events.next()).toBeUndefined()
  })

  it('ends with the token of its client', async () => {
    const { here, events, advance, say } = await listening()
    advance(61_000)
    say(TOLD)
    expect(await events.next()).toBeUndefined()
    await expect.poll(() => here.events.at(-1)).toMatchObject({ outcome: 'unauthenticated' })
  })
})
