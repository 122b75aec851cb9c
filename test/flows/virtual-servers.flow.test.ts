import { beforeAll, describe, expect, inject, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const POLICY = {
  group_mappings: { desk: ['desk'], narrow: ['narrow'] },
  // Everything of the virtual server, and everything behind it.
  desk: [
    { server: 'desk', methods: ['*'], tools: ['*'] },
    { server: 'everything', methods: ['*'], tools: ['*'] },
    { server: 'modern', methods: ['*'], tools: ['*'] },
  ],
  // The virtual server, but not all that stands behind it.
  narrow: [
    { server: 'desk', methods: ['*'], tools: ['*'] },
    { server: 'everything', methods: ['tools/list', 'tools/call'], tools: ['get-sum'] },
  ],
}

const VIRTUAL = {
  path: 'desk',
  name: 'The desk',
  instructions: 'Use these first.',
  tools: [
    { server: 'everything', name: 'echo', as: 'say', description: 'Says it again.' },
    { server: 'everything', name: 'get-sum' },
    { server: 'modern', name: 'echo', as: 'say-modern' },
  ],
  resources: [
    { server: 'everything', uri: 'demo://resource/static/document/architecture.md', name: 'Map' },
  ],
  resourceTemplates: [
    { server: 'everything', uriTemplate: 'demo://resource/dynamic/text/{resourceId}' },
  ],
  prompts: [{ server: 'everything', name: 'simple-prompt', as: 'simple' }],
}

interface Tool {
  readonly name: string
  readonly description?: string
  readonly inputSchema?: unknown
}

describe('a virtual server', () => {
  let gateway: TestGateway
  let admin: string
  let desk: string
  let narrow: string

  beforeAll(async () => {
    gateway = createTestGateway()
    admin = await gateway.token()
    desk = await gateway.token({ subject: 'dee', groups: ['desk'] })
    narrow = await gateway.token({ subject: 'ned', groups: ['narrow'] })
    await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', POLICY))
    for (const [path, url] of [
      ['modern', inject('modernUrl')],
      ['everything', inject('everythingUrl')],
    ]) {
      const body = { path, name: path, endpoints: [{ url }] }
      expect((await gateway.fetch('/api/v1/servers', rest(admin, 'POST', body))).status).toBe(201)
    }
    const made = await gateway.fetch('/api/v1/virtual-servers', rest(admin, 'POST', VIRTUAL))
    expect([made.status, await made.text()]).toEqual([201, expect.stringContaining('"desk"')])
  })

  async function ask(init: RequestInit): Promise<Record<string, unknown>> {
    const text = await (await gateway.fetch('/desk/mcp', init)).text()
    const data = text.split('\n').filter((line) => line.startsWith('data: {'))
    return JSON.parse(data.at(-1)?.slice('data: '.length) ?? text)
  }

  async function open(token: string) {
    const opened = await gateway.fetch('/desk/mcp', legacy(token, 'initialize', hello()))
    const headers = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    await gateway.fetch(
      '/desk/mcp',
      legacy(token, 'notifications/initialized', {}, headers, NOTIFICATION),
    )
    return {
      hello: await opened.text(),
      result: async (method: string, params = {}) =>
        (await ask(legacy(token, method, params, headers)))['result'] as Record<string, unknown>,
      error: async (method: string, params = {}) =>
        (await ask(legacy(token, method, params, headers)))['error'] as Record<string, unknown>,
    }
  }

  it('lists what was chosen, renamed and described anew, and nothing else', async () => {
    const { hello: greeting, result } = await open(desk)
    expect(greeting).toContain('Use these first.')
    const { tools, _meta } = (await result('tools/list')) as { tools: Tool[]; _meta?: object }
    expect(tools.map(({ name }) => name)).toEqual(['say', 'get-sum', 'say-modern'])
    expect(tools[0]).toMatchObject({ description: 'Says it again.' })
    expect(tools[0]?.inputSchema).toMatchObject({ type: 'object' })
    expect(_meta).toBeUndefined()
    const { prompts } = (await result('prompts/list')) as { prompts: Tool[] }
    expect(prompts.map(({ name }) => name)).toEqual(['simple'])
    const { resources } = (await result('resources/list')) as { resources: object[] }
    expect(resources).toEqual([
      expect.objectContaining({
        uri: 'mcp+everything+demo://resource/static/document/architecture.md',
        name: 'Map',
      }),
    ])
  })

  it('calls by the new name, and knows no other one', async () => {
    const { result, error } = await open(desk)
    const said = await result('tools/call', { name: 'say', arguments: { message: 'hi' } })
    expect(JSON.stringify(said)).toContain('Echo: hi')
    for (const name of ['echo', 'everything__echo', 'list_servers', 'get-tiny-image']) {
      expect(await error('tools/call', { name, arguments: {} })).toMatchObject({
        code: -32602,
        message: `Unknown tool: ${name}`,
      })
    }
    const got = await result('prompts/get', { name: 'simple' })
    expect(got).toHaveProperty('messages')
    expect(await error('prompts/get', { name: 'simple-prompt' })).toMatchObject({ code: -32602 })
  })

  it('reads the chosen resources and those of the chosen templates alone', async () => {
    const { result, error } = await open(desk)
    const of = (uri: string) => ({ uri: `mcp+everything+${uri}` })
    const read = await result(
      'resources/read',
      of('demo://resource/static/document/architecture.md'),
    )
    expect(read).toHaveProperty('contents')
    expect(await result('resources/read', of('demo://resource/dynamic/text/1'))).toHaveProperty(
      'contents',
    )
    for (const uri of [
      'demo://resource/dynamic/blob/1',
      'demo://resource/static/document/features.md',
      'file:///etc/passwd',
    ]) {
      expect(await error('resources/read', of(uri))).toMatchObject({ code: -32002 })
    }
  })

  it('serves clients of either era from servers of either', async () => {
    const call = { name: 'say-modern', arguments: { message: 'new' } }
    expect(JSON.stringify(await ask(modern(desk, 'tools/call', call)))).toContain('Echo: new')
    const old = { name: 'say', arguments: { message: 'old' } }
    expect(JSON.stringify(await ask(modern(desk, 'tools/call', old)))).toContain('Echo: old')
    const { result } = await open(desk)
    expect(JSON.stringify(await result('tools/call', call))).toContain('Echo: new')
  })

  it('never widens: what its caller may not use behind it, it may not use here', async () => {
    const { result, error } = await open(narrow)
    const { tools } = (await result('tools/list')) as { tools: Tool[] }
    expect(tools.map(({ name }) => name)).toEqual(['get-sum'])
    expect(await error('tools/call', { name: 'say', arguments: { message: 'x' } })).toMatchObject({
      message: 'Unknown tool: say',
    })
    const { resources } = (await result('resources/list')) as { resources: object[] }
    expect(resources).toEqual([])
  })

  it('does not exist for those without a grant, in another tenant, and when it is off', async () => {
    const stranger = await gateway.token({ subject: 'sam', groups: [] })
    const missing = { error: { message: 'There is no server named "desk".' } }
    expect(await ask(modern(stranger, 'tools/list'))).toMatchObject(missing)
    const other = createTestGateway()
    const foreign = await other.fetch('/desk/mcp', modern(await other.token(), 'tools/list'))
    expect(foreign.status).toBe(404)
    expect(await foreign.json()).toMatchObject(missing)
    const toggled = await gateway.fetch(
      '/api/v1/virtual-servers/desk/toggle',
      rest(admin, 'POST', { enabled: false }),
    )
    expect(toggled.status).toBe(200)
    expect(await ask(modern(desk, 'tools/list'))).toMatchObject(missing)
    await gateway.fetch('/api/v1/virtual-servers/desk/toggle', rest(admin, 'POST', {}))
    expect(await ask(modern(desk, 'tools/list'))).toHaveProperty('result')
  })
})
