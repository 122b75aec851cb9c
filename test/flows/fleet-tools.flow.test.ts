import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, legacy, modern, rest, type TestGateway } from '../support/gateway.ts'
import { greet } from '../support/legacy-session.ts'
import { manyServers } from '../support/many-servers.ts'

const scale = {
  name: 'scale',
  description: 'Scales a deployment.',
  inputSchema: {
    type: 'object',
    properties: {
      replicas: { type: 'integer' },
      namespace: { type: 'string', 'x-mcp-header': 'Namespace' },
    },
    required: ['replicas'],
  },
}
const logs = { name: 'logs', description: 'Shows logs.', inputSchema: { type: 'object' } }

const VIRTUAL = {
  path: 'k8s',
  name: 'Clusters',
  fleets: [
    {
      selector: 'cluster',
      description: 'Where to run.',
      members: [
        { value: 'eu west', server: 'k8s-eu' },
        { value: 'us', server: 'k8s-us' },
        { value: 'odd', server: 'k8s-odd' },
        { value: 'secret', server: 'k8s-secret' },
      ],
      tools: [{ name: 'scale', as: 'scale_it', title: 'Scale' }, { name: 'logs' }],
    },
  ],
}

const all = (servers: string[], tools = ['*']) =>
  servers.map((server) => ({ server, methods: ['*'], tools }))
const POLICY = {
  group_mappings: { ops: ['ops'], few: ['few'], outside: ['outside'] },
  ops: all(['k8s', 'k8s-eu', 'k8s-us', 'k8s-odd']),
  few: [...all(['k8s']), ...all(['k8s-us'], ['scale'])],
  outside: all(['k8s-eu', 'k8s-us']),
}

interface Tool {
  readonly name: string
  readonly title?: string
  readonly inputSchema: { properties: Record<string, { enum?: string[] }>; required: string[] }
}
interface Answer {
  readonly result: {
    readonly tools: readonly Tool[]
    readonly content: readonly { readonly text: string }[]
    readonly isError?: boolean
    readonly resultType?: string
    readonly _meta?: Record<string, unknown>
  }
  readonly error?: { readonly code: number; readonly message: string }
}

describe('a fleet of servers at one virtual server', () => {
  const servers = manyServers({
    'k8s-eu': [scale, logs],
    'k8s-us': [scale, logs],
    'k8s-odd': [{ ...scale, description: 'Something else.' }, logs],
    'k8s-secret': [scale, logs],
  })
  let gateway: TestGateway
  let ops: string
  let few: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher: servers.fetcher } })
    const admin = await gateway.token()
    ops = await gateway.token({ subject: 'ona', groups: ['ops'] })
    few = await gateway.token({ subject: 'fay', groups: ['few'] })
    await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', POLICY))
    await servers.register(gateway, admin)
    const made = await gateway.fetch('/api/v1/virtual-servers', rest(admin, 'POST', VIRTUAL))
    expect([made.status, await made.text()]).toEqual([201, expect.any(String)])
  })

  beforeEach(() => {
    servers.calls()
  })

  const ask = async (init: RequestInit): Promise<Answer> =>
    JSON.parse(await (await gateway.fetch('/k8s/mcp', init)).text())
  const list = async (token: string) => (await ask(modern(token, 'tools/list'))).result
  const HEADERS = { 'mcp-param-namespace': 'web' }
  const call = (token: string, args: object, name = 'scale_it', headers = HEADERS) =>
    ask(modern(token, 'tools/call', { name, arguments: args }, headers))

  it('shows each tool once, with an argument that says which server', async () => {
    const { tools, _meta } = await list(ops)
    expect(tools.map(({ name }) => name)).toEqual(['scale_it', 'logs'])
    expect(tools[0]).toEqual({
      ...scale,
      name: 'scale_it',
      title: 'Scale',
      inputSchema: {
        ...scale.inputSchema,
        properties: {
          ...scale.inputSchema.properties,
          cluster: { type: 'string', enum: ['eu west', 'us'], description: 'Where to run.' },
        },
        required: ['replicas', 'cluster'],
      },
    })
    expect(tools[1]?.inputSchema.properties['cluster']?.enum).toEqual(['eu west', 'us', 'odd'])
    // What is another tool there is left out, and named.
    expect(_meta?.['dev.gatehouse/unavailable']).toEqual([
      { server: 'k8s-odd', item: 'scale_it', value: 'odd', reason: 'changed' },
    ])
  })

  it('shows each caller the members that it may use, and no more', async () => {
    const shown = await list(few)
    expect(shown.tools.map(({ name }) => name)).toEqual(['scale_it'])
    expect(shown.tools[0]).toMatchObject({
      title: 'Scale',
      inputSchema: { properties: { cluster: { enum: ['us'], description: 'Where to run.' } } },
    })
    expect(JSON.stringify(shown)).not.toMatch(/eu west|odd|secret/)
  })

  it.each([
    ['eu west', 'k8s-eu'],
    ['us', 'k8s-us'],
  ])('calls %s at its server, without the selector and byte by byte', async (value, server) => {
    const init = modern(
      ops,
      'tools/call',
      { name: 'scale_it', arguments: { replicas: 3, cluster: value, namespace: 'web' } },
      HEADERS,
    )
    const body = String(init.body).replace('"replicas":3', '"replicas" : 3.000')
    const { result } = await ask({ ...init, body })
    expect(result.content[0]?.text).toBe('ran scale')
    const sent = servers.upstreams[server]?.seen.at(-1)
    expect(sent?.body).toContain('"arguments":{"replicas" : 3.000,"namespace":"web"}')
    expect(sent?.headers.get('mcp-name')).toBe('scale')
    expect(sent?.headers.get('mcp-param-namespace')).toBe('web')
    expect(servers.calls()).toEqual({ [server]: 1 })
  })

  it('checks mirrored headers as for the server itself', async () => {
    const response = await gateway.fetch(
      '/k8s/mcp',
      modern(ops, 'tools/call', {
        name: 'scale_it',
        arguments: { replicas: 1, cluster: 'us', namespace: 'web' },
      }),
    )
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: -32020 } })
    expect(servers.calls()).toEqual({})
  })

  it('does the same for legacy clients', async () => {
    const headers = await greet(gateway, ops, '/k8s/mcp')
    const { result } = await ask(legacy(ops, 'tools/list', {}, headers))
    expect(result.tools.map(({ name }) => name)).toEqual(['scale_it', 'logs'])
    expect(result.tools[0]?.inputSchema.required).toEqual(['replicas', 'cluster'])
    const params = { name: 'scale_it', arguments: { cluster: 'us', replicas: 1 } }
    const called = await ask(legacy(ops, 'tools/call', params, headers))
    expect(called.result.content[0]?.text).toBe('ran scale')
    expect(servers.upstreams['k8s-us']?.seen.at(-1)?.body).toContain('"arguments":{"replicas":1}')
    const wrong = await ask(
      legacy(ops, 'tools/call', { ...params, arguments: { cluster: 'x' } }, headers),
    )
    expect(wrong.result).toMatchObject({ isError: true })
    expect(wrong.result.resultType).toBeUndefined()
  })

  it.each([
    ['unknown', { cluster: 'mars' }],
    ['missing', {}],
    ['no text', { cluster: 1 }],
    ['one whose tool is another', { cluster: 'odd' }],
    ['one that is hidden', { cluster: 'secret' }],
  ])('names the values of this caller for a selector that is %s', async (_what, args) => {
    const text = (names: string) => ({
      resultType: 'complete',
      content: [{ type: 'text', text: `The argument "cluster" must be one of: ${names}.` }],
      isError: true,
    })
    expect((await call(ops, args)).result).toEqual(text('"eu west", "us"'))
    expect((await call(few, { ...args, replicas: 1 })).result).toEqual(text('"us"'))
    expect((await call(few, { cluster: 'eu west' })).result).toEqual(text('"us"'))
    expect(servers.calls()).toEqual({})
  })

  it('is unknown to whom all its members are', async () => {
    expect(await call(few, { cluster: 'us' }, 'logs')).toMatchObject({
      error: { code: -32602, message: 'Unknown tool: logs' },
    })
    const outside = await gateway.token({ subject: 'oz', groups: ['outside'] })
    const response = await gateway.fetch(
      '/k8s/mcp',
      modern(outside, 'tools/call', { name: 'scale_it', arguments: { cluster: 'us' } }),
    )
    expect(response.status).toBe(404)
    for (const name of ['scale', 'k8s-us__scale']) {
      expect(await call(ops, { cluster: 'us' }, name)).toMatchObject({
        error: { message: `Unknown tool: ${name}` },
      })
    }
  })

  it('asks for the scope that is missing', async () => {
    const narrow = { subject: 'ona', groups: ['ops'], scopes: ['gatehouse:read'] }
    const token = await gateway.token(narrow)
    for (const cluster of ['us', 'mars']) {
      const params = { name: 'scale_it', arguments: { cluster } }
      const response = await gateway.fetch('/k8s/mcp', modern(token, 'tools/call', params))
      expect(response.status).toBe(403)
      expect(await response.json()).toMatchObject({ error: { code: -31002 } })
    }
  })

  it('costs one fetch and no D1 in steady state', async () => {
    const once = async () => {
      const params = { name: 'logs', arguments: { cluster: 'us' } }
      const { response, settle } = await gateway.fetchWith(
        '/k8s/mcp',
        modern(ops, 'tools/call', params),
      )
      expect(await response.text()).toContain('ran logs')
      await settle()
    }
    for (let warmUp = 0; warmUp < 3; warmUp += 1) await once()
    Object.assign(gateway.work, { fetches: 0, d1: 0, objects: 0 })
    for (let index = 0; index < 20; index += 1) await once()
    expect(gateway.work.fetches).toBe(20)
    expect(gateway.work.d1).toBeLessThanOrEqual(1)
  })
})
