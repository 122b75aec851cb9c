import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { nextMessage as next, readEvents } from '../support/event-reader.ts'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { changed, tellingRoom, updated } from '../support/telling-room.ts'

type Message = Record<string, unknown>
const ALL = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }

/** `/mcp` over a modern and a legacy server, and a virtual server over the modern one. */
describe('changes at an endpoint where several servers meet', () => {
  const now = tellingRoom()
  const old = tellingRoom()
  let gateway: TestGateway
  let other: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    other = createTestGateway({ tenant: gateway.tenant })
    token = await gateway.token()
    await now.register(gateway, token, 'now', 'modern')
    await old.register(gateway, token, 'old', 'legacy')
  })

  /** Nobody listens any more, from a test before. */
  beforeEach(async () => {
    for (const room of [now, old]) {
      await expect
        .poll(async () => {
          const { listens, streams } = await room.state()
          return listens.length + streams
        })
        .toBe(0)
    }
  })

  const listen = async (path: string, notifications: object, on = gateway, as = token) => {
    const init = modern(as, 'subscriptions/listen', { notifications })
    const events = readEvents(await on.fetch(path, init))
    const ack = await next(events)
    const params = ack?.['params'] as Message | undefined
    return { events, honoured: params?.['notifications'] }
  }
  /** Of servers of every era. */
  const toolsOf = async (on: TestGateway) => {
    const response = await on.fetch('/mcp/tools', { headers: { authorization: `Bearer ${token}` } })
    const { tools } = (await response.json()) as { tools: { name: string }[] }
    return tools.map(({ name }) => name)
  }
  async function session(on = gateway) {
    const init = legacy(token, 'initialize', hello())
    const response = await on.fetch('/mcp', init)
    const { result } = (await response.json()) as { result: { capabilities: object } }
    const id = response.headers.get('mcp-session-id') ?? ''
    const headers = { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' }
    return { headers, capabilities: result.capabilities }
  }
  const get = async (headers: Record<string, string>, on = gateway) => {
    const auth = { authorization: `Bearer ${token}`, accept: 'text/event-stream' }
    const response = await on.fetch('/mcp', { headers: { ...auth, ...headers } })
    expect(response.status).toBe(200)
    return readEvents(response)
  }
  const ask = async (headers: Record<string, string>, method: string, uri: string, on = other) => {
    const response = await on.fetch('/mcp', legacy(token, method, { uri }, headers))
    return response.json()
  }

  // req: list-changed-cache-first
  // req: list-changed-once
  it('are told once, when every isolate lists what is new', async () => {
    const one = await listen('/mcp', ALL)
    const two = await listen('/mcp', { toolsListChanged: true }, other)
    expect(one.honoured).toEqual(ALL)
    for (const on of [gateway, other]) expect(await toolsOf(on)).toContain('old__first')
    await old.control({ tools: ['first', 'second'], tell: [changed('tools')] })
    for (const { events } of [one, two]) {
      expect(await next(events)).toMatchObject({ method: 'notifications/tools/list_changed' })
      for (const on of [gateway, other]) expect(await toolsOf(on)).toContain('old__second')
    }
    // What comes next is the next change, not the same again.
    await now.control({ tell: [changed('prompts')] })
    expect(await next(one.events)).toMatchObject({ method: 'notifications/prompts/list_changed' })
    await Promise.all([one.events.cancel(), two.events.cancel()])
  })

  it('are known to the isolate that is called next, though it listed nothing since', async () => {
    const call = async (on: TestGateway, name: string) =>
      (await on.fetch('/mcp', modern(token, 'tools/call', { name, arguments: {} }))).json()
    const { events } = await listen('/mcp', ALL)
    expect(await call(other, 'now__fresh')).toMatchObject({ error: { code: -32602 } })
    await now.control({ tools: ['first', 'fresh'], tell: [changed('tools')] })
    expect(await next(events)).toMatchObject({ method: 'notifications/tools/list_changed' })
    expect(await call(other, 'now__fresh')).toMatchObject({ result: { resultType: 'complete' } })
    await events.cancel()
  })

  // req: uri-in-updates
  it('name resources as the endpoint does', async () => {
    const uris = ['mcp+now+memo:1', 'mcp+old+memo:1']
    const { events, honoured } = await listen('/mcp', {
      resourceSubscriptions: [...uris, 'mcp+nobody+memo:1', 'memo:1'],
    })
    expect(honoured).toEqual({ resourceSubscriptions: uris })
    await now.control({ tell: [updated('memo:2'), updated('memo:1')] })
    expect(await next(events)).toMatchObject({ params: { uri: 'mcp+now+memo:1' } })
    await old.control({ tell: [updated('memo:1')] })
    expect(await next(events)).toMatchObject({ params: { uri: 'mcp+old+memo:1' } })
    await events.cancel()
  })

  it('come to a legacy client for servers that it never spoke to, and once for those it did', async () => {
    const { headers } = await session()
    await (
      await gateway.fetch(
        '/mcp',
        legacy(token, 'tools/call', { name: 'old__first', arguments: {} }, headers),
      )
    ).text()
    const events = await get(headers)
    // Its own session's stream, and that of the gateway.
    await expect.poll(async () => (await old.state()).streams).toBe(2)
    await expect.poll(async () => (await now.state()).listens.length).toBe(1)
    await old.control({ tools: ['first', 'third'], tell: [changed('tools')] })
    expect(await next(events)).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/tools/list_changed',
    })
    expect(await toolsOf(other)).toContain('old__third')
    await now.control({ tell: [changed('resources')] })
    expect(await next(events)).toMatchObject({ method: 'notifications/resources/list_changed' })
    await events.cancel()
  })

  // req: updates-to-subscribers
  it('of a resource come to the legacy client that subscribed to it, whatever isolate was asked', async () => {
    const mine = await session()
    const his = await session()
    expect(await ask(mine.headers, 'resources/subscribe', 'mcp+now+memo:1')).toMatchObject({
      result: {},
    })
    const events = await get(mine.headers)
    const others = await get(his.headers)
    const wanted = async () =>
      (await now.state()).listens.flatMap((one) => one['resourceSubscriptions'] ?? [])
    await expect.poll(wanted).toEqual(['memo:1'])
    expect(await ask(mine.headers, 'resources/subscribe', 'mcp+now+memo:2')).toMatchObject({
      result: {},
    })
    await expect.poll(wanted).toEqual(['memo:1', 'memo:2'])
    await now.control({ tell: [updated('memo:2')] })
    expect(await next(events)).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/resources/updated',
      params: { uri: 'mcp+now+memo:2' },
    })
    expect(await ask(mine.headers, 'resources/unsubscribe', 'mcp+now+memo:2')).toMatchObject({
      result: {},
    })
    await expect.poll(wanted).toEqual(['memo:1'])
    await now.control({ tell: [updated('memo:2'), updated('memo:1'), changed('tools')] })
    expect(await next(events)).toMatchObject({ params: { uri: 'mcp+now+memo:1' } })
    // Who did not subscribe hears of the list alone.
    expect(await next(others)).toMatchObject({ method: 'notifications/tools/list_changed' })
    await Promise.all([events.cancel(), others.cancel()])
  })

  // req: list-changed-honest
  it('are advertised where they are told, and nowhere else', async () => {
    const capabilities = {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
    }
    expect((await session()).capabilities).toMatchObject(capabilities)
    const discovered = await gateway.fetch('/mcp', modern(token, 'server/discover'))
    expect(await discovered.json()).toMatchObject({ result: { capabilities } })
    const own = await gateway.fetch('/mcpgw/mcp', modern(token, 'server/discover'))
    expect(await own.json()).toMatchObject({ result: { capabilities: { tools: {} } } })
    const { honoured, events } = await listen('/mcpgw/mcp', ALL)
    expect(honoured).toEqual({})
    await events.cancel()
  })

  it('reach those alone who may see their server', async () => {
    const policy = {
      group_mappings: { clerks: ['clerk'] },
      clerk: [{ server: 'now', methods: ['*'], tools: ['*'] }],
    }
    const put = await gateway.fetch('/api/v1/policy', rest(token, 'PUT', policy))
    expect(put.status).toBe(200)
    const clerk = await gateway.token({ subject: 'cleo', groups: ['clerks'] })
    const uris = ['mcp+now+memo:1', 'mcp+old+memo:1']
    const wanted = { toolsListChanged: true, resourceSubscriptions: uris }
    const admin = await listen('/mcp', wanted)
    const limited = await listen('/mcp', wanted, gateway, clerk)
    expect(limited.honoured).toEqual({
      toolsListChanged: true,
      resourceSubscriptions: ['mcp+now+memo:1'],
    })
    await old.control({ tell: [updated('memo:1')] })
    expect(await next(admin.events)).toMatchObject({ params: { uri: 'mcp+old+memo:1' } })
    await now.control({ tell: [updated('memo:1')] })
    expect(await next(limited.events)).toMatchObject({ params: { uri: 'mcp+now+memo:1' } })
    await Promise.all([admin.events.cancel(), limited.events.cancel()])
  })

  it('are told at a virtual server when they concern what it contains', async () => {
    await now.control({ tools: ['first', 'extra'], tell: [] })
    const body = {
      path: 'chosen',
      name: 'Chosen',
      tools: [{ server: 'now', name: 'first', as: 'it' }],
    }
    const made = await gateway.fetch('/api/v1/virtual-servers', rest(token, 'POST', body))
    expect(made.status).toBe(201)
    const whole = await listen('/mcp', ALL)
    const { events, honoured } = await listen('/chosen/mcp', ALL, other)
    expect(honoured).toEqual({ toolsListChanged: true })
    // Nothing of it has changed: the next thing it hears is what has.
    await now.control({ tools: ['first'], tell: [changed('tools')] })
    expect(await next(whole.events)).toMatchObject({ method: 'notifications/tools/list_changed' })
    await now.control({ tools: ['renamed'], tell: [changed('tools')] })
    expect(await next(whole.events)).toMatchObject({ method: 'notifications/tools/list_changed' })
    expect(await next(events)).toMatchObject({ method: 'notifications/tools/list_changed' })
    const listed = await other.fetch('/chosen/mcp', modern(token, 'tools/list'))
    expect(await listed.json()).toMatchObject({ result: { tools: [] } })
    await Promise.all([whole.events.cancel(), events.cancel()])
  })
})
