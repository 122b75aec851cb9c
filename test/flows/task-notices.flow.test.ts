import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { nextMessage as next, readEvents } from '../support/event-reader.ts'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { DECLARED, TASKS } from '../support/task-server.ts'
import { changed, tellingRoom } from '../support/telling-room.ts'

const ID = 'io.modelcontextprotocol/subscriptionId'
const TOOLS = { toolsListChanged: true }

const POLICY = {
  group_mappings: { askers: ['asker'], listers: ['lister'] },
  asker: [{ server: '*', methods: ['*'], tools: ['*'] }],
  lister: [
    { server: '*', methods: ['tools/list', 'tools/call', 'subscriptions/listen'], tools: ['*'] },
  ],
}

describe('notices of tasks (SEP-2663, Task Status Notifications)', () => {
  const now = tellingRoom()
  const old = tellingRoom()
  let gateway: TestGateway
  let asker: string
  let another: string

  beforeAll(async () => {
    gateway = createTestGateway()
    const admin = await gateway.token()
    for (const room of [now, old]) await room.control({ tools: ['first', 'task', 'task-2'] })
    await now.register(gateway, admin, 'now', 'modern')
    await old.register(gateway, admin, 'old', 'legacy')
    const put = await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', POLICY))
    expect(put.status, await put.text()).toBe(200)
    asker = await gateway.token({ subject: 'asker', groups: ['askers'] })
    another = await gateway.token({ subject: 'another', groups: ['askers'] })
  })

  /** Nobody listens any more, from a test before. */
  beforeEach(async () => {
    await now.control({ honours: {} })
    await expect.poll(async () => (await now.state()).listens.length).toBe(0)
  })

  const at = (path: string) => (path === 'mcp' ? '/mcp' : `/${path}/mcp`)
  const begin = async (path: string, name: string, as = asker): Promise<string> => {
    const params = { name, arguments: {}, _meta: DECLARED }
    const response = await gateway.fetch(at(path), modern(as, 'tools/call', params))
    const { result } = (await response.json()) as { result: { taskId: string } }
    return result.taskId
  }
  const ask = (path: string, notifications: object, as = asker, _meta: object = DECLARED) => {
    const params = { notifications, _meta }
    return gateway.fetch(at(path), modern(as, 'subscriptions/listen', params, {}, 'a listen'))
  }
  const listen = async (path: string, notifications: object, as = asker) => {
    const events = readEvents(await ask(path, notifications, as))
    const ack = (await next(events)) as { params: { notifications: object } }
    return { events, honoured: ack.params.notifications }
  }
  const task = (taskId: string, more: object = {}) => ({
    method: 'notifications/tasks',
    params: { taskId, status: 'working', 'x-vendor': [1], ...more },
  })

  it('reach who asked, under the id that he was given, once', async () => {
    const taskId = await begin('now', 'task')
    const { events, honoured } = await listen('now', { taskIds: [taskId] })
    expect(honoured).toEqual({ taskIds: [taskId] })
    expect((await now.state()).listens).toEqual([{ taskIds: ['own-task'] }])
    await now.control({ tell: [task('own-task-2'), changed('tools'), task('own-task')] })
    expect(await next(events)).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/tasks',
      params: { taskId, status: 'working', 'x-vendor': [1], _meta: { [ID]: 'a listen' } },
    })
    await now.control({ tell: [task('own-task', { status: 'cancelled' })] })
    expect(await next(events)).toMatchObject({ params: { taskId, status: 'cancelled' } })
    await events.cancel()
  })

  it('name task and resources as an endpoint of many servers does', async () => {
    const taskId = await begin('mcp', 'now__task')
    const { events, honoured } = await listen('mcp', { ...TOOLS, taskIds: [taskId, 'old+x', 'x'] })
    expect(honoured).toEqual({ ...TOOLS, taskIds: [taskId] })
    const content = [{ type: 'resource_link', uri: 'memo:1', name: 'x' }]
    const result = { content, isError: false }
    await now.control({ tell: [task('own-task', { status: 'completed', result })] })
    expect(await next(events)).toMatchObject({
      params: { taskId, result: { content: [{ uri: 'mcp+now+memo:1' }], isError: false } },
    })
    await events.cancel()
  })

  it('reach nobody else, who asked for the same task or for his own', async () => {
    const taskId = await begin('mcp', 'now__task')
    const others = await begin('mcp', 'now__task-2', another)
    const mine = await listen('mcp', { taskIds: [taskId, others] })
    const theirs = await listen('mcp', { ...TOOLS, taskIds: [taskId, others] }, another)
    expect(mine.honoured).toEqual({ taskIds: [taskId] })
    expect(theirs.honoured).toEqual({ ...TOOLS, taskIds: [others] })
    await now.control({ tell: [task('own-task'), task('own-task-2')] })
    expect(await next(mine.events)).toMatchObject({ params: { taskId } })
    expect(await next(theirs.events)).toMatchObject({ params: { taskId: others } })
    await now.control({ tell: [task('own-task', { status: 'failed' })] })
    expect(await next(mine.events)).toMatchObject({ params: { taskId, status: 'failed' } })
    await Promise.all([mine.events.cancel(), theirs.events.cancel()])
  })

  it('are not honoured for who may not ask for tasks, nor for altered ids, nor elsewhere', async () => {
    const taskId = await begin('mcp', 'now__task')
    const lister = await gateway.token({ subject: 'asker', groups: ['listers'] })
    for (const [path, id, as] of [
      ['mcp', taskId, lister],
      ['mcp', `${taskId.slice(0, -4)}AAAA`, asker],
      ['mcp', taskId.replace('now', 'old'), asker],
      ['mcp', 'now+own-task', asker],
      ['now', 'own-task', asker],
      ['now', taskId.slice('now+'.length), asker],
      ['old', taskId, asker],
    ] as const) {
      const { events, honoured } = await listen(path, { ...TOOLS, taskIds: [id] }, as)
      expect(honoured).toEqual(TOOLS)
      for (const { taskIds } of (await now.state()).listens) expect(taskIds).toBeUndefined()
      await events.cancel()
    }
  })

  it('end with the right to ask for them, while the rest goes on', async () => {
    const taskId = await begin('mcp', 'now__task')
    const { events } = await listen('mcp', { ...TOOLS, taskIds: [taskId] })
    const admin = await gateway.token()
    const less = { ...POLICY, asker: POLICY.lister }
    expect((await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', less))).status).toBe(200)
    await expect
      .poll(async () => (await now.state()).listens.some(({ taskIds }) => taskIds), {
        timeout: 9_000,
      })
      .toBe(false)
    await now.control({
      tools: ['first', 'task', 'task-2', 'new'],
      tell: [task('own-task'), changed('tools')],
    })
    expect(await next(events)).toMatchObject({ method: 'notifications/tools/list_changed' })
    await events.cancel()
    expect((await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', POLICY))).status).toBe(200)
  }, 20_000)

  it('are refused to a client that does not declare the extension', async () => {
    const response = await ask('now', { taskIds: ['x'] }, asker, {})
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { error: { code: -32021, data: { requiredCapabilities: { extensions: { [TASKS]: {} } } } } },
    ])
  })

  it.each<[string, unknown]>([
    ['too many', Array.from({ length: 101 }, (_, index) => `id ${index}`)],
    ['no list', 'x'],
    ['no texts', [7]],
  ])('are refused for ids that are %s', async (_what, taskIds) => {
    const response = await ask('now', { taskIds })
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { error: { code: -32602 } },
    ])
  })

  it('are left out where the server tells none, or refuses, which costs nobody a list', async () => {
    const taskId = await begin('now', 'task')
    for (const honours of [{ taskIds: false }, { taskIds: 'refused' }]) {
      await now.control({ honours })
      const { events, honoured } = await listen('now', { ...TOOLS, taskIds: [taskId] })
      expect(honoured).toEqual(TOOLS)
      await now.control({ tell: [changed('tools')] })
      expect(await next(events)).toMatchObject({ method: 'notifications/tools/list_changed' })
      await events.cancel()
      await expect.poll(async () => (await now.state()).listens.length).toBe(0)
    }
  })
})
