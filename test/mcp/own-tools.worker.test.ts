import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { GatewayError, TenantId } from '../../src/core/index.ts'
import type { Answer } from '../../src/mcp/ask/ask.ts'
import { createOwnTools } from '../../src/mcp/own-tools/index.ts'
import { type Actor, parsePolicySeed, rightsOf } from '../../src/policy/index.ts'
import { changesOf, createGateway, isDown, principalOf, VALID } from '../registry/gateway.ts'

const TENANT = 'own-tools'
const gateway = createGateway(TENANT)
const { ctx, registry } = gateway

const proxied: { path: string; question: unknown }[] = []
const sought: unknown[] = []
let answer: () => Answer
const tools = createOwnTools({
  verbs: registry.verbs,
  proxyRequest: async (_ctx, _actor, path, question) => {
    proxied.push({ path, question })
    return answer()
  },
  findServer: async (_ctx, _actor, request) => {
    sought.push(request)
    return {
      path: 'clock',
      note: () => ({ server: 'clock', reason: 'only_one', candidates: [] }),
    }
  },
})

type Result = {
  content: { type: string; text: string }[]
  structuredContent?: Record<string, unknown>
  isError: boolean
}

const SEED = {
  'UI-Scopes': {
    narrow: { list_service: ['all'], toggle_service: ['clock'] },
    powers: { list_service: ['all'], register_service: ['all'] },
  },
  group_mappings: {
    admins: ['admin'],
    owners: ['server_owner'],
    readers: ['user'],
    narrow: ['narrow'],
    powers: ['powers'],
    listers: ['lister', 'powers'],
  },
  narrow: [
    { server: 'mcpgw', methods: ['tools/list'], tools: ['list_servers', 'toggle_server'] },
    { server: 'mcpgw', methods: ['tools/call'], tools: ['list_servers', 'toggle_server'] },
  ],
  powers: [{ server: 'shop', methods: ['*'], tools: ['*'] }],
  lister: [{ server: 'mcpgw', methods: ['tools/list'] }],
}

async function actorOf(group: string, scopes: string[] = []): Promise<Actor> {
  const principal = await principalOf(TenantId.parse(TENANT), group, scopes)
  return { principal, rights: rightsOf(principal, parsePolicySeed(SEED), { bootstrap: false }) }
}

async function call(group: string, name: string, args: unknown = {}, scopes: string[] = []) {
  return (await tools.call(ctx, await actorOf(group, scopes), name, args)) as Result
}

const namesFor = async (group: string, scopes: string[] = []) =>
  tools.list(await actorOf(group, scopes)).map(({ name }) => name)

beforeAll(async () => {
  expect((await gateway.send('admins', 'POST', '/servers', VALID)).status).toBe(201)
})

beforeEach(() => {
  proxied.length = 0
  answer = () => ({ kind: 'result', result: { content: [], isError: false }, chars: 1 })
  gateway.state.discover = createGateway('own-tools-other').state.discover
})

describe('the own tools', () => {
  it.each<[string, string[]]>([
    [
      'admins',
      ['list_servers', 'register_server', 'toggle_server', 'proxy_request', 'health_check'],
    ],
    [
      'owners',
      ['list_servers', 'register_server', 'toggle_server', 'proxy_request', 'health_check'],
    ],
    ['readers', ['list_servers', 'proxy_request']],
    ['narrow', ['list_servers', 'toggle_server']],
    ['powers', []],
    ['listers', ['list_servers', 'register_server']],
    ['strangers', []],
  ])('of %s are those that role, grants and permissions give', async (group, names) => {
    expect(await namesFor(group)).toEqual(names)
  })

  it.each<[string, string[]]>([
    ['gatehouse:read', ['list_servers']],
    ['gatehouse:call', ['proxy_request']],
    ['gatehouse:manage', ['register_server', 'toggle_server', 'health_check']],
  ])('are fewer for a token limited to %s', async (scope, names) => {
    expect(await namesFor('admins', [scope])).toEqual(names)
  })

  it('describe themselves by JSON Schema and annotations', async () => {
    for (const tool of tools.list(await actorOf('admins'))) {
      expect(tool.description.length).toBeGreaterThan(80)
      for (const schema of [tool.inputSchema, tool.outputSchema]) {
        expect(schema).toMatchObject({
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          type: 'object',
          additionalProperties: false,
        })
        // Reading it back proves that it is a schema.
        expect(z.fromJSONSchema(schema)).toBeDefined()
      }
      expect(Object.keys(tool.annotations).sort()).toEqual([
        'destructiveHint',
        'idempotentHint',
        'openWorldHint',
        'readOnlyHint',
      ])
    }
  })

  it.each([
    ['strangers', 'list_servers'],
    ['readers', 'register_server'],
    ['readers', 'toggle_server'],
    ['readers', 'health_check'],
    ['powers', 'register_server'],
    ['listers', 'list_servers'],
    ['admins', 'no_such_tool'],
    ['admins', 'constructor'],
  ])('are unknown to %s who calls %s, which is not offered', async (group, name) => {
    await expect(call(group, name)).rejects.toMatchObject({
      code: 'unknown_tool',
      message: `Unknown tool: ${name}`,
    })
  })

  it.each([
    ['list_servers', 'gatehouse:read', 'gatehouse:call'],
    ['toggle_server', 'gatehouse:call', 'gatehouse:manage'],
    ['proxy_request', 'gatehouse:read', 'gatehouse:call'],
  ])('ask for more scope when %s is called with %s alone', async (name, given, needed) => {
    await expect(call('admins', name, {}, [given])).rejects.toMatchObject({
      code: 'insufficient_scope',
      detail: { data: { scope: needed } },
    })
  })

  it('ask for the scope of the permission as well', async () => {
    await expect(
      call('admins', 'toggle_server', { server: 'clock' }, ['gatehouse:call']),
    ).rejects.toMatchObject({
      code: 'insufficient_scope',
      detail: { data: { scope: 'gatehouse:manage' } },
    })
  })
})

describe('a result', () => {
  it('is structured by its schema, and the same as text', async () => {
    const result = await call('readers', 'list_servers')
    expect(result).toMatchObject({
      isError: false,
      structuredContent: {
        servers: [
          {
            path: 'clock',
            name: 'Clock',
            enabled: true,
            health: 'healthy',
            discovered: { tools: 2, resources: 1, resourceTemplates: 1, prompts: 0 },
          },
        ],
      },
    })
    expect(JSON.parse(result.content[0]?.text ?? '')).toEqual(result.structuredContent)
    const [definition] = tools.list(await actorOf('readers'))
    expect(
      z.fromJSONSchema({ ...definition?.outputSchema }).safeParse(result.structuredContent),
    ).toMatchObject({ success: true })
  })

  it.each<[string, string, unknown, RegExp]>([
    ['an unknown member', 'list_servers', { wat: 1 }, /wat/],
    ['a bad cursor', 'list_servers', { cursor: 'x' }, /cursor/],
    ['no server', 'toggle_server', {}, /server: .*\(invalid_params\)$/s],
    ['several mistakes', 'register_server', { path: 'A', name: '' }, /- path: .*\n- name: /],
    ['an unknown server', 'toggle_server', { server: 'nothing' }, /no server named "nothing"/],
    ['a taken path', 'register_server', VALID, /\(conflict\)$/],
    [
      'a private address',
      'register_server',
      { ...VALID, path: 'p', endpoints: [{ url: 'http://10.0.0.1/' }] },
      /private/,
    ],
    ['arguments that are no object', 'list_servers', [], /invalid_params/],
  ])('tells the model what to repair about %s', async (_what, name, args, text) => {
    const result = await call('admins', name, args)
    expect(result).toEqual({
      content: [{ type: 'text', text: expect.stringMatching(text) }],
      isError: true,
    })
  })

  it('of another tenant’s server is as if there were none', async () => {
    const principal = await principalOf(TenantId.parse('own-tools-elsewhere'), 'admins')
    const rights = rightsOf(principal, parsePolicySeed(SEED), { bootstrap: false })
    const result = await tools.call(ctx, { principal, rights }, 'toggle_server', {
      server: 'clock',
    })
    expect(result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('There is no server named "clock".') }],
    })
  })
})

describe('register_server and toggle_server', () => {
  it('register and toggle as REST does, in the name of the caller', async () => {
    const registered = await call('owners', 'register_server', { ...VALID, path: 'mine' })
    expect(registered.structuredContent).toMatchObject({ path: 'mine', health: 'healthy' })
    const off = await call('owners', 'toggle_server', { server: 'mine', enabled: false })
    expect(off.structuredContent).toMatchObject({ path: 'mine', enabled: false })
    expect(
      (await call('owners', 'toggle_server', { server: 'mine' })).structuredContent,
    ).toMatchObject({
      enabled: true,
    })
    const { key } = (await actorOf('owners')).principal
    expect((await changesOf(TENANT)).filter(({ target }) => target === 'mine')).toMatchObject([
      { action: 'server.register', actor: key },
      { action: 'server.toggle', actor: key },
      { action: 'server.toggle', actor: key },
    ])
  })

  it('leave to owners what is theirs alone', async () => {
    for (const name of ['toggle_server', 'health_check']) {
      expect(await call('owners', name, { server: 'clock' })).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('(forbidden)') }],
      })
    }
  })

  it('refuse a server that does not answer, unless told otherwise', async () => {
    gateway.state.discover = isDown
    const server = { ...VALID, path: 'down' }
    expect(await call('admins', 'register_server', server)).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('(upstream_unreachable)') }],
    })
    const forced = await call('admins', 'register_server', { ...server, allowUnreachable: true })
    expect(forced).toMatchObject({ isError: false, structuredContent: { path: 'down' } })
  })
})

describe('health_check', () => {
  it('asks the server now', async () => {
    gateway.asked.length = 0
    const result = await call('admins', 'health_check', { server: 'clock' })
    expect(result).toMatchObject({
      isError: false,
      structuredContent: {
        server: 'clock',
        reachable: true,
        error: null,
        health: 'healthy',
        endpoints: [{ health: 'healthy', consecutiveFailures: 0 }],
      },
    })
    expect(gateway.asked).toMatchObject([{ url: 'https://clock.example/mcp' }])
  })

  it('finds out that a server does not answer', async () => {
    gateway.state.discover = isDown
    expect(await call('admins', 'health_check', { server: 'clock' })).toMatchObject({
      isError: false,
      structuredContent: {
        reachable: false,
        error: expect.stringContaining('The connection was refused.'),
      },
    })
  })
})

describe('proxy_request', () => {
  const question = { server: 'clock', params: { name: 'now', arguments: {} } }

  it('sends a tool call unless told otherwise, without the caller’s envelope', async () => {
    const params = { ...question.params, _meta: { 'io.modelcontextprotocol/clientInfo': {} } }
    expect(await call('readers', 'proxy_request', { ...question, params })).toMatchObject({
      isError: false,
      structuredContent: {
        server: 'clock',
        method: 'tools/call',
        result: { content: [], isError: false },
      },
    })
    expect(proxied).toEqual([
      { path: 'clock', question: { method: 'tools/call', params: question.params } },
    ])
  })

  it('has the gateway choose where no server is named, and says why', async () => {
    const { params } = question
    sought.length = 0
    const route = { tag: 'time' }
    expect(await call('readers', 'proxy_request', { params, route })).toMatchObject({
      isError: false,
      structuredContent: { server: 'clock', routing: { reason: 'only_one', server: 'clock' } },
    })
    expect(sought).toEqual([{ method: 'tools/call', params, wish: route }])
    expect(proxied).toMatchObject([{ path: 'clock' }])
    for (const wrong of [
      { ...question, route },
      { params, route: { tags: ['time'] } },
    ]) {
      expect(await call('readers', 'proxy_request', wrong)).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('(invalid_params)') }],
      })
    }
  })

  it('fails as the tool behind it fails', async () => {
    answer = () => ({ kind: 'result', result: { content: [], isError: true }, chars: 1 })
    expect(await call('readers', 'proxy_request', question)).toMatchObject({
      isError: true,
      structuredContent: { result: { isError: true } },
    })
  })

  it('tells of the server’s own error', async () => {
    answer = () => ({ kind: 'error', code: -32602, message: 'no such zone' })
    expect(await call('readers', 'proxy_request', question)).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('answered with error -32602: no such zone') }],
    })
  })

  it.each([
    'initialize',
    'ping',
    'server/discover',
    'resources/subscribe',
    'subscriptions/listen',
    'logging/setLevel',
    'notifications/cancelled',
    'tasks/get',
  ])('does not send %s', async (method) => {
    expect(await call('admins', 'proxy_request', { ...question, method })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('(invalid_params)') }],
    })
    expect(proxied).toEqual([])
  })

  it('throws what no model can repair', async () => {
    answer = () => {
      throw new GatewayError('policy_unavailable', 'The registry cannot be read.')
    }
    await expect(call('admins', 'proxy_request', question)).rejects.toMatchObject({
      code: 'policy_unavailable',
    })
  })
})
