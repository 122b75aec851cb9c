import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { type EventReader, readEvents } from '../support/event-reader.ts'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import {
  changed,
  type TellingKind,
  type TellingRoom,
  tellingRoom,
  updated,
} from '../support/telling-room.ts'

const TOOLS = { toolsListChanged: true }
const ID = 'io.modelcontextprotocol/subscriptionId'

const listen = (
  gateway: TestGateway,
  token: string,
  path: string,
  notifications: object,
  id: unknown = 'a listen',
) =>
  gateway.fetch(
    path === 'mcp' ? '/mcp' : `/${path}/mcp`,
    modern(token, 'subscriptions/listen', { notifications }, {}, id),
  )

/** The message of the next event that has one. */
async function next(events: EventReader): Promise<Record<string, unknown> | undefined> {
  for (;;) {
    const event = await events.next()
    if (event === undefined) return undefined
    const data = /^data: (.*)$/m.exec(event)?.[1]
    if (data !== undefined) return JSON.parse(data)
  }
}

interface Scene {
  readonly gateway: TestGateway
  readonly token: string
  readonly room: TellingRoom
}

/** One server of this kind, under the path `one`. */
async function scene(kind: TellingKind): Promise<Scene> {
  const gateway = createTestGateway()
  const token = await gateway.token()
  const room = tellingRoom()
  await room.register(gateway, token, 'one', kind)
  return { gateway, token, room }
}

async function opened(response: Response) {
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const events = readEvents(response)
  return { events, ack: await next(events) }
}

describe('a subscription to changes (MCP 2026-07-28, subscriptions/listen)', () => {
  // req: listen-ack-first
  it.each<TellingKind>(['modern', 'dual', 'legacy'])(
    'begins with what of it a %s server tells, and then tells each change once',
    async (kind) => {
      const { gateway, token, room } = await scene(kind)
      const asked = { ...TOOLS, resourceSubscriptions: ['memo:1'] }
      const { events, ack } = await opened(await listen(gateway, token, 'one', asked))
      expect(ack).toEqual({
        jsonrpc: '2.0',
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: asked, _meta: { [ID]: 'a listen' } },
      })
      await room.control({ tell: [changed('prompts'), changed('tools')] })
      expect(await next(events)).toEqual({
        jsonrpc: '2.0',
        method: 'notifications/tools/list_changed',
        params: { _meta: { [ID]: 'a listen' } },
      })
      await room.control({ tell: [updated('memo:2'), updated('memo:1')] })
      expect(await next(events)).toEqual({
        jsonrpc: '2.0',
        method: 'notifications/resources/updated',
        params: { uri: 'memo:1', _meta: { [ID]: 'a listen' } },
      })
      await events.cancel()
    },
  )

  it('is acknowledged for nothing where the server has no stream', async () => {
    const { gateway, token, room } = await scene('mute')
    const { events, ack } = await opened(await listen(gateway, token, 'one', TOOLS))
    expect(ack).toMatchObject({ params: { notifications: {} } })
    expect((await room.state()).sessions).toBe(0)
    await events.cancel()
  })

  it('is acknowledged for what the server acknowledged', async () => {
    const { gateway, token, room } = await scene('modern')
    await room.control({ honours: { promptsListChanged: false } })
    const asked = { ...TOOLS, promptsListChanged: true }
    const { events, ack } = await opened(await listen(gateway, token, 'one', asked))
    expect(ack).toMatchObject({ params: { notifications: TOOLS } })
    expect((ack as { params: { notifications: object } }).params.notifications).toEqual(TOOLS)
    await events.cancel()
  })

  // req: listen-own-id
  it.each<[string, string]>([
    ['a number', '7'],
    ['a number that no number holds', '12345678901234567890'],
    ['a text with escapes', '"\\u00fc \\/"'],
  ])('names the id that its client gave, %s, as it was spelt', async (_what, raw) => {
    const { gateway, token, room } = await scene('modern')
    const init = modern(token, 'subscriptions/listen', { notifications: TOOLS }, {}, 'ID')
    const body = String(init.body).replace('"ID"', raw)
    const events = readEvents(await gateway.fetch('/one/mcp', { ...init, body }))
    expect(await events.next()).toContain(`"${ID}":${raw}}`)
    await room.control({ tell: [changed('tools')] })
    expect(await events.next()).toContain(`"${ID}":${raw}}`)
    await events.cancel()
  })

  // req: updates-counted
  it.each<TellingKind>(['modern', 'legacy'])(
    'shares one upstream stream of a %s server, which ends with the last of them',
    async (kind) => {
      const { gateway, token, room } = await scene(kind)
      const other = createTestGateway({ tenant: gateway.tenant })
      const held = async () => {
        const { listens, streams, subscribed } = await room.state()
        const asked = listens.flatMap((one) => one['resourceSubscriptions'] ?? [])
        return { open: listens.length + streams, uris: [...asked, ...subscribed].sort() }
      }
      const uris = (...all: string[]) => ({ resourceSubscriptions: all })
      const one = await opened(await listen(gateway, token, 'one', uris('memo:1', 'memo:2')))
      const two = await opened(await listen(other, token, 'one', uris('memo:1')))
      expect(await held()).toEqual({ open: 1, uris: ['memo:1', 'memo:2'] })
      await one.events.cancel()
      await expect.poll(held).toEqual({ open: 1, uris: ['memo:1'] })
      await room.control({ tell: [updated('memo:1')] })
      expect(await next(two.events)).toMatchObject({ params: { uri: 'memo:1' } })
      await two.events.cancel()
      await expect.poll(held).toEqual({ open: 0, uris: [] })
      await expect.poll(async () => (await room.state()).sessions).toBe(0)
    },
  )

  it.each<TellingKind>(['modern', 'legacy'])(
    'lives on when the stream of a %s server breaks, and tells what changed meanwhile',
    async (kind) => {
      const { gateway, token, room } = await scene(kind)
      const { events } = await opened(await listen(gateway, token, 'one', TOOLS))
      const open = async () => {
        const { listens, streams } = await room.state()
        return listens.length + streams
      }
      await room.control({ hangUp: true, tools: ['second'] })
      expect(await next(events)).toMatchObject({ method: 'notifications/tools/list_changed' })
      await expect.poll(open).toBe(1)
      await room.control({ tell: [changed('tools')] })
      expect(await next(events)).toMatchObject({ method: 'notifications/tools/list_changed' })
      await events.cancel()
    },
  )

  it.each<[string, object]>([
    ['no filter', {}],
    ['a filter that is none', { notifications: 'all' }],
    ['URIs that are none', { notifications: { resourceSubscriptions: [1] } }],
    [
      'more URIs than a stream may have',
      {
        notifications: {
          resourceSubscriptions: Array.from({ length: 501 }, (_, n) => `memo:${n}`),
        },
      },
    ],
  ])('is refused with %s', async (_what, params) => {
    const { gateway, token, room } = await scene('modern')
    const init = modern(token, 'subscriptions/listen', { ...params })
    const response = await gateway.fetch('/one/mcp', init)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: -32602 } })
    expect((await room.state()).listens).toEqual([])
  })

  // req: listen-bounded
  it('is refused to who has a hundred open already, whatever isolate holds them', async () => {
    const { gateway, token } = await scene('modern')
    const other = createTestGateway({ tenant: gateway.tenant })
    const streams = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        listen(at % 2 === 0 ? gateway : other, token, 'one', TOOLS),
      ),
    )
    expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200))
    const refused = await listen(gateway, token, 'one', TOOLS)
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('30')
    expect(await refused.json()).toMatchObject({ error: { code: -31011 } })
    const someoneElse = await gateway.token({ subject: 'other', groups: [] })
    expect((await listen(gateway, someoneElse, 'one', TOOLS)).status).toBe(404)
    await streams[0]?.body?.cancel()
    const again = async () => {
      const response = await listen(gateway, token, 'one', TOOLS)
      const { status } = response
      if (status === 200) streams.push(response)
      return status
    }
    await expect.poll(again).toBe(200)
    await Promise.all(streams.slice(1).map(({ body }) => body?.cancel()))
  })

  it('ends with an empty result under its id when the gateway ends it', async () => {
    const { gateway, token } = await scene('modern')
    const { events } = await opened(await listen(gateway, token, 'one', TOOLS))
    await runInDurableObject(env.EVENTS.getByName(gateway.tenant), (_instance, state) => {
      for (const socket of state.getWebSockets()) socket.close(1001, 'moved')
    })
    expect(await next(events)).toEqual({
      jsonrpc: '2.0',
      id: 'a listen',
      result: { resultType: 'complete', _meta: { [ID]: 'a listen' } },
    })
    expect(await next(events)).toBeUndefined()
  })

  it('tells nothing to another tenant, whose server has the same name', async () => {
    const { gateway, token, room } = await scene('modern')
    const other = await scene('modern')
    const here = await opened(await listen(gateway, token, 'one', TOOLS))
    const all = { ...TOOLS, promptsListChanged: true }
    const there = await opened(await listen(other.gateway, other.token, 'one', all))
    await room.control({ tell: [changed('tools')] })
    expect(await next(here.events)).toMatchObject({ method: 'notifications/tools/list_changed' })
    await other.room.control({ tell: [changed('prompts')] })
    // The first that it hears is its own.
    expect(await next(there.events)).toMatchObject({ method: 'notifications/prompts/list_changed' })
    await Promise.all([here.events.cancel(), there.events.cancel()])
  })
})

/** A server of a clerk, who listens on one isolate while the administrator is on another. */
async function listening() {
  let now = Date.now()
  const seams = { clock: { now: () => now } }
  const here = createTestGateway({ seams })
  const there = createTestGateway({ seams, tenant: here.tenant })
  const admin = await there.token()
  const room = tellingRoom()
  await room.register(there, admin, 'one', 'modern')
  const change = async (method: string, path: string, body: unknown) => {
    const done = await there.fetch(`/api/v1${path}`, rest(admin, method, body))
    expect(done.ok).toBe(true)
  }
  await change('PUT', '/policy', {
    group_mappings: { clerks: ['clerk'] },
    clerk: [{ server: 'one', methods: ['*'], tools: ['*'] }],
  })
  const clerk = await here.token({ subject: 'cleo', groups: ['clerks'], ttlSeconds: 60 })
  const { events } = await opened(await listen(here, clerk, 'one', TOOLS))
  const say = async () => room.control({ tell: [changed('tools')] })
  const advance = (ms: number) => {
    now += ms
  }
  return { here, change, events, advance, say }
}

describe('a subscription to changes and rights (DESIGN.md, Decision 4)', () => {
  it('goes on while its client may hear it', async () => {
    const { events, advance, say } = await listening()
    advance(6_000)
    await say()
    expect(await next(events)).toMatchObject({ method: 'notifications/tools/list_changed' })
    await events.cancel()
  })

  // req: updates-authorised
  it.each<[string, string, string, unknown]>([
    ['its server is disabled', 'POST', '/servers/one/toggle', { enabled: false }],
    ['its server is hidden', 'PATCH', '/servers/one', { visibility: 'private' }],
    ['its client lost the right', 'PUT', '/policy', { group_mappings: {} }],
  ])('ends within 5 s when %s, and tells nothing more', async (_title, method, path, body) => {
    const { change, events, advance, say } = await listening()
    await change(method, path, body)
    advance(6_000)
    await say()
    expect(await next(events)).toBeUndefined()
  })

  it('ends with the token of its client', async () => {
    const { here, events, advance, say } = await listening()
    advance(61_000)
    await say()
    expect(await next(events)).toBeUndefined()
    const lines = () => here.events.filter(({ method }) => method === 'subscriptions/listen')
    await expect.poll(() => lines().at(-1)).toMatchObject({ outcome: 'unauthenticated' })
  })

  it('is acknowledged for what the policy lets its client read', async () => {
    const { gateway, token, room } = await scene('modern')
    const policy = {
      group_mappings: { clerks: ['clerk'] },
      clerk: [{ server: 'one', methods: ['subscriptions/listen', 'tools/list'] }],
    }
    const put = await gateway.fetch('/api/v1/policy', rest(token, 'PUT', policy))
    expect(put.status).toBe(200)
    const clerk = await gateway.token({ subject: 'cleo', groups: ['clerks'] })
    const asked = { ...TOOLS, promptsListChanged: true, resourceSubscriptions: ['memo:1'] }
    const { events, ack } = await opened(await listen(gateway, clerk, 'one', asked))
    expect((ack as { params: { notifications: object } }).params.notifications).toEqual(TOOLS)
    expect((await room.state()).listens).toEqual([TOOLS])
    await events.cancel()
  })
})
