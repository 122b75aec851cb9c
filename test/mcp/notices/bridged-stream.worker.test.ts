import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import type { Change } from '../../../src/mcp/notices/notice.ts'
import { readEvents } from '../../support/event-reader.ts'
import { HOUR_MS, world } from './world.ts'

const TOOLS: Change = { kind: 'list', list: 'tools' }
const told = (message: object) =>
  `event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}`
const changed = told({ method: 'notifications/tools/list_changed' })

describe("a legacy client's stream at a server of the modern era", () => {
  it('tells of lists, and of the resources that its session subscribed to', async () => {
    const { notices, session, tell, open } = world()
    await notices.subscriptions.subscribe(session, 'memo:1')
    const events = readEvents(await open())
    await tell(TOOLS)
    expect(await events.next()).toBe(changed)
    await tell({ kind: 'resource', uri: 'memo:2' })
    await tell({ kind: 'resource', uri: 'memo:1' })
    const updated = told({ method: 'notifications/resources/updated', params: { uri: 'memo:1' } })
    expect(await events.next()).toBe(updated)
    await events.cancel()
  })

  it('ends when its client may be there no longer', async () => {
    const { state, facts, tell, open } = world()
    const events = readEvents(await open())
    state.isGranted = false
    await tell(TOOLS)
    expect(await events.next()).toBeUndefined()
    expect(facts.outcome).toBe('not_found')
  })

  it('ends with its session, and does not begin without one', async () => {
    const { session, open } = world()
    const events = readEvents(await open())
    await env.SESSIONS.getByName(session.key).end(Date.now() + HOUR_MS)
    expect(await events.next()).toBeUndefined()
    await expect(open()).rejects.toMatchObject({ code: 'session_not_found' })
  })

  it('holds its event no longer when the session cannot be reached', async () => {
    const session = { fetch: async () => Promise.reject(new Error('overloaded')) }
    const { held, open } = world({ session })
    await expect(open()).rejects.toThrow('overloaded')
    await expect.poll(() => held.events).toBe(0)
  })

  it('leaves nothing behind at the tenant’s object, also when its goodbye is missed', async () => {
    const { object, open } = world()
    const events = readEvents(await open())
    const stored = () =>
      runInDurableObject(object, async (_instance, { storage }) => (await storage.list()).size)
    expect(await stored()).toBeGreaterThan(0)
    await events.cancel()
    const wants = () =>
      runInDurableObject(
        object,
        (_instance, { storage }) => [...storage.kv.list({ prefix: 'want:' })].length,
      )
    await expect.poll(wants).toBe(0)
    // A subscriber whose socket nobody has any more.
    await runInDurableObject(object, (_instance, { storage }) => {
      storage.kv.put('want:v1:gone', [])
    })
    await runDurableObjectAlarm(object)
    expect(await stored()).toBe(0)
  })
})

describe('the subscriptions of a session', () => {
  it('are at most five hundred', async () => {
    const { notices, session } = world()
    for (let at = 0; at < 500; at += 1) await notices.subscriptions.subscribe(session, `x:${at}`)
    await notices.subscriptions.subscribe(session, 'x:7')
    const oneMore = notices.subscriptions.subscribe(session, 'x:500')
    await expect(oneMore).rejects.toMatchObject({ code: 'invalid_params' })
    await notices.subscriptions.unsubscribe(session, 'x:7')
    await notices.subscriptions.subscribe(session, 'x:500')
  })
})
