import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { createTaskServers, DECLARED } from '../support/task-server.ts'

type Members = Record<string, unknown>

/** Clients that know tasks, each those of its own era. */
const TASKS_2025 = { list: {}, requests: { elicitation: { create: {} } } }

/** `old` speaks 2025-11-25 with its experimental tasks, `new` 2026-07-28 with the extension. */
describe('tasks of one era', () => {
  const { fetcher, posted } = createTaskServers()
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher } })
    token = await gateway.token()
    for (const path of ['old', 'new']) {
      const server = { path, name: path, endpoints: [{ url: `https://${path}.example/mcp` }] }
      const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
      expect(created.status, await created.text()).toBe(201)
    }
  })
  beforeEach(() => {
    posted.length = 0
  })

  const at = (path: string) => (path === 'mcp' ? '/mcp' : `/${path}/mcp`)
  async function answerOf(response: Response): Promise<Members> {
    const text = await response.text()
    const data = text.split('\n').filter((line) => line.startsWith('data: {'))
    return JSON.parse(data.at(-1)?.slice('data: '.length) ?? text)
  }
  const asModern = async (path: string, method: string, params: Members = {}) => {
    const { taskId } = params
    const name = typeof taskId === 'string' ? { 'mcp-name': taskId } : {}
    const init = modern(token, method, { _meta: DECLARED, ...params }, name)
    return answerOf(await gateway.fetch(at(path), init))
  }
  async function session(path: string) {
    const greeting = hello()
    const capabilities = { ...greeting.capabilities, tasks: TASKS_2025 }
    const init = legacy(token, 'initialize', { ...greeting, capabilities })
    const response = await gateway.fetch(at(path), init)
    const id = response.headers.get('mcp-session-id')
    const headers = {
      ...(id === null ? {} : { 'mcp-session-id': id }),
      'mcp-protocol-version': '2025-11-25',
    }
    const { result } = (await response.json()) as { result: Members }
    return {
      capabilities: result['capabilities'] as Members,
      ask: async (method: string, params: Members = {}) =>
        answerOf(await gateway.fetch(at(path), legacy(token, method, params, headers))),
    }
  }
  const declaredTo = (server: string) =>
    posted.flatMap(({ server: to, method, params }) =>
      to === server && method === 'initialize' ? [params['capabilities']] : [],
    )

  it.each(['tasks/list', 'tasks/get', 'tasks/result', 'tasks/cancel', 'tasks/update'])(
    'are no method for a legacy client of a modern server, nor of many: %s',
    async (method) => {
      for (const path of ['new', 'mcp']) {
        const { ask } = await session(path)
        posted.length = 0
        expect(await ask(method, { taskId: 'new+x' })).toMatchObject({ error: { code: -32601 } })
        expect(posted).toEqual([])
      }
    },
  )

  it.each(['tasks/list', 'tasks/result'])(
    'are no method for a modern client where the extension has none: %s',
    async (method) => {
      for (const path of ['old', 'mcp']) {
        expect(await asModern(path, method)).toMatchObject({ error: { code: -32601 } })
      }
      expect(posted).toEqual([])
    },
  )

  it('are unknown to a modern client of a legacy server', async () => {
    expect(await asModern('old', 'tasks/get', { taskId: 'x' })).toMatchObject({
      error: { code: -32601 },
    })
    expect(await asModern('mcp', 'tasks/get', { taskId: 'old+x' })).toMatchObject({
      error: { code: -32602, message: 'Unknown task' },
    })
    expect(posted).toEqual([])
  })

  it('reach a legacy client of a legacy server as they are', async () => {
    const { capabilities, ask } = await session('old')
    expect(capabilities).toHaveProperty('tasks')
    expect(declaredTo('old')).toMatchObject([{ tasks: TASKS_2025 }])
    expect(await ask('tasks/list')).toMatchObject({ result: { tasks: [] } })
    const call = { name: 'slow', arguments: {}, task: { ttl: 1 } }
    expect(await ask('tools/call', call)).toMatchObject({
      result: { task: { taskId: 'task 1/ü' } },
    })
  })

  it('show nowhere else: neither in capabilities, nor in lists', async () => {
    const one = await session('new')
    const many = await session('mcp')
    for (const { capabilities } of [one, many]) expect(capabilities).not.toHaveProperty('tasks')
    expect(one.capabilities).not.toHaveProperty('extensions')
    const { result } = (await asModern('old', 'server/discover')) as { result: Members }
    expect(result['capabilities']).toEqual({ tools: {} })
    const lists = [
      await one.ask('tools/list'),
      await many.ask('tools/list'),
      await asModern('old', 'tools/list'),
      await asModern('mcp', 'tools/list'),
    ]
    for (const list of lists) {
      expect(list).toMatchObject({ result: { tools: expect.any(Array) } })
      expect(JSON.stringify(list)).not.toContain('execution')
      expect(JSON.stringify(list)).toContain('"inputSchema"')
    }
  })

  it('are not asked for at a legacy server by who could not follow them', async () => {
    const { ask } = await session('mcp')
    const call = (name: string) => ({ name, arguments: { a: 1 }, task: { ttl: 1 } })
    expect(await ask('tools/call', call('old__slow'))).toMatchObject({ result: { content: [] } })
    expect(await asModern('old', 'tools/call', call('slow'))).toMatchObject({
      result: { content: [] },
    })
    expect(await asModern('mcp', 'tools/call', call('old__slow'))).toMatchObject({
      result: { content: [] },
    })
    const calls = posted.filter(({ method }) => method === 'tools/call')
    expect(calls).toHaveLength(3)
    for (const { params } of calls) {
      expect(params).not.toHaveProperty('task')
      expect(params).toMatchObject({ arguments: { a: 1 } })
    }
    for (const declared of declaredTo('old')) {
      expect(declared).not.toHaveProperty('tasks')
      expect(declared).not.toHaveProperty('extensions')
    }
  })

  it('make one clean error of a call that became one for a legacy client', async () => {
    for (const [path, name] of [
      ['new', 'slow'],
      ['mcp', 'new__slow'],
    ] as const) {
      const { ask } = await session(path)
      const { result, error } = await ask('tools/call', { name, arguments: {} })
      expect(result).toBeUndefined()
      expect(error).toMatchObject({
        code: -31012,
        message: 'The server "new" made a task of the request, which its client cannot follow.',
      })
    }
    expect(posted.filter(({ method }) => method === 'tools/call')).toHaveLength(2)
  })

  it('say so where a tool can only run as one of the other era', async () => {
    const only = {
      error: { code: -31017, message: expect.stringContaining('may run only as a task') },
    }
    const call = (name: string) => ({ name, arguments: {} })
    for (const path of ['new', 'mcp']) {
      const { ask } = await session(path)
      const name = path === 'mcp' ? 'new__only' : 'only'
      expect(await ask('tools/call', call(name))).toMatchObject(only)
    }
    const { ask } = await session('mcp')
    expect(await ask('tools/call', call('old__only'))).toMatchObject(only)
    expect(await asModern('old', 'tools/call', call('only'))).toMatchObject(only)
    expect(await asModern('mcp', 'tools/call', call('old__only'))).toMatchObject(only)
  })
})
