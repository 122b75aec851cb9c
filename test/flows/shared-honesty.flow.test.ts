import { beforeAll, describe, expect, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const UNAVAILABLE = 'dev.gatehouse/unavailable'
const ALL = { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {}, logging: {} }

/** `one` speaks both eras and offers everything, `old` the legacy era alone. */
describe('what a shared endpoint says of itself', () => {
  let gateway: TestGateway
  let admin: string
  let clerk: string
  let description = 'as chosen'
  const sent: string[] = []

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher } })
    admin = await gateway.token()
    clerk = await gateway.token({ subject: 'cleo', groups: ['clerks'] })
    const grants = { methods: ['initialize', 'server/discover', 'tools/list', 'tools/call'] }
    await change('PUT', '/policy', {
      group_mappings: { clerks: ['clerk'], readers: ['reader'] },
      reader: [
        { server: 'desk', methods: ['resources/list'] },
        { server: 'one', methods: ['*'], tools: ['*'] },
      ],
      clerk: [
        { server: 'desk', methods: ['*'], tools: ['*'] },
        { server: 'one', ...grants, tools: ['allowed'] },
        { server: 'old', ...grants, tools: ['allowed'] },
      ],
    })
    for (const path of ['one', 'old']) {
      const endpoints = [{ url: `https://${path}.example/mcp` }]
      await change('POST', '/servers', { path, name: path, endpoints })
    }
    const tools = ['allowed', 'denied'].map((name) => ({ server: 'one', name, as: `my-${name}` }))
    await change('POST', '/virtual-servers', { path: 'desk', name: 'Desk', tools })
  })

  async function change(method: string, path: string, body?: unknown): Promise<void> {
    const changed = await gateway.fetch(`/api/v1${path}`, rest(admin, method, body))
    expect(changed.ok, await changed.text()).toBe(true)
  }

  async function fetcher(request: Request): Promise<Response> {
    const body = await request.text()
    sent.push(body)
    const { id, method } = JSON.parse(body || '{}')
    if (id === undefined) return new Response(null, { status: 202 })
    const isModern = request.headers.has('mcp-method')
    if (isModern && request.url.includes('old')) return new Response(null, { status: 404 })
    const tool = (name: string) => ({ name, description, inputSchema: { type: 'object' } })
    const results: Record<string, object> = {
      'server/discover': { supportedVersions: ['2026-07-28'], capabilities: ALL },
      initialize: {
        ...{ protocolVersion: '2025-11-25', capabilities: ALL },
        serverInfo: { name: 'x', version: '1' },
      },
      'tools/list': { tools: [tool('allowed'), tool('denied')] },
      'prompts/list': { prompts: [{ name: 'p' }] },
      'resources/list': { resources: [] },
      'resources/templates/list': { resourceTemplates: [] },
    }
    const base = isModern ? { resultType: 'complete', ttlMs: 9_000, cacheScope: 'public' } : {}
    return Response.json({ jsonrpc: '2.0', id, result: { ...base, ...results[method] } })
  }

  async function resultOf(path: string, init: RequestInit): Promise<Record<string, unknown>> {
    const response = await gateway.fetch(path, init)
    const body = await response.json<{ result?: Record<string, unknown> }>()
    return body.result ?? body
  }

  it('is what its caller may use, not what its servers offer', async () => {
    const asked = async (token: string, path = '/mcp') =>
      (await resultOf(path, modern(token, 'server/discover')))['capabilities']
    // Whoever may use a server may set its log level.
    expect(await asked(clerk)).toEqual({ tools: {}, logging: {} })
    expect(await asked(admin)).toEqual(ALL)
    // Tools alone were chosen.
    expect(await asked(admin, '/desk/mcp')).toEqual({ tools: {}, logging: {} })
    const greeting = await resultOf('/mcp', legacy(clerk, 'initialize', hello()))
    expect(greeting['capabilities']).toEqual({ tools: {}, logging: {} })
  })

  it('is of a virtual server what its caller may use there as well', async () => {
    const reader = await gateway.token({ subject: 'rea', groups: ['readers'] })
    const told = await resultOf('/desk/mcp', modern(reader, 'server/discover'))
    expect(told['capabilities']).toEqual({ logging: {} })
  })

  it('may be kept as long as each of its servers says, and some say nothing', async () => {
    const listed = await resultOf('/mcp', modern(clerk, 'tools/list'))
    expect(listed).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
    expect(listed['_meta']).not.toHaveProperty([UNAVAILABLE])
  })

  it('tells of what is held back to those alone who would see it', async () => {
    description = 'something else'
    await change('POST', '/servers/one/refresh')
    const heldBack = async (token: string) =>
      (await resultOf('/desk/mcp', modern(token, 'tools/list')))['_meta'] as Record<string, unknown>
    const changed = (item: string) => ({ server: 'one', item, reason: 'changed' })
    expect((await heldBack(clerk))[UNAVAILABLE]).toEqual([changed('my-allowed')])
    expect((await heldBack(admin))[UNAVAILABLE]).toEqual([
      changed('my-allowed'),
      changed('my-denied'),
    ])
    const told = await resultOf('/desk/mcp', modern(admin, 'server/discover'))
    expect(told['capabilities']).toEqual({ logging: {} })
  })

  it('takes a level that there is, and no other text', async () => {
    const opened = await gateway.fetch('/mcp', legacy(admin, 'initialize', hello()))
    const session = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const set = (level: unknown) =>
      resultOf('/mcp', legacy(admin, 'logging/setLevel', { level }, session))
    expect(await set('warning')).toEqual({})
    for (const level of ['zzz', 'x'.repeat(100_000), 7, undefined]) {
      expect(await set(level)).toMatchObject({ error: { code: -32602 } })
    }
  })

  // CVE-2026-27896
  it.each<[string, string]>([
    ['a second method', '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}'],
    [
      'a second name',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"allowed","Name":"denied"}}',
    ],
    ['a method in a response', '{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call"}'],
    [
      'another one in a batch',
      '[{"jsonrpc":"2.0","id":1,"method":"ping","paramſ":{"name":"denied"}}]',
    ],
  ])('refuses %s that differs by its case alone', async (_what, body) => {
    sent.length = 0
    const init = legacy(clerk, 'ping')
    const headers = new Headers(init.headers)
    headers.set('mcp-protocol-version', '2025-03-26')
    const refused = await gateway.fetch('/one/mcp', { ...init, headers, body })
    expect(await refused.text()).toMatch(/-32700|-32600/)
    expect(sent).toEqual([])
  })

  it('hands no answer to a server without sessions, which cannot tell whose it is', async () => {
    sent.length = 0
    const init = legacy(clerk, 'ping')
    const body = '{"jsonrpc":"2.0","id":77,"result":{}}'
    expect((await gateway.fetch('/one/mcp', { ...init, body })).status).toBe(202)
    expect(sent.filter((text) => text.includes('77'))).toEqual([])
  })

  it('takes no notification for a request', async () => {
    sent.length = 0
    const refused = await gateway.fetch('/one/mcp', legacy(clerk, 'notifications/cancelled'))
    expect(await refused.json()).toMatchObject({ error: { code: -32601 } })
    expect(sent).toEqual([])
  })
})
