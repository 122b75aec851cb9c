import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { nextMessage as next, readEvents } from '../support/event-reader.ts'
import { createTestGateway, modern } from '../support/gateway.ts'
import { listen, opened, scene, TOOLS } from '../support/listening.ts'
import { changed, type TellingKind, updated } from '../support/telling-room.ts'

const ID = 'io.modelcontextprotocol/subscriptionId'

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
