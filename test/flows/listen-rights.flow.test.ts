import { describe, expect, it } from 'vitest'
import { nextMessage as next } from '../support/event-reader.ts'
import { createTestGateway, rest } from '../support/gateway.ts'
import { listen, opened, scene, TOOLS } from '../support/listening.ts'
import { stoppedClock } from '../support/stopped-clock.ts'
import { changed, tellingRoom } from '../support/telling-room.ts'

/** A server of a clerk, who listens on one isolate while the administrator is on another. */
async function listening() {
  const clock = stoppedClock()
  const seams = { clock }
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
  return { here, change, events, advance: clock.advance, say }
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
