import { beforeAll, describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import { createTestGateway, modern, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

describe('a call that reports progress', () => {
  const room = scriptedRoom('long-answers')
  let now = Date.now()
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { clock: { now: () => now } } })
    token = await gateway.token({ ttlSeconds: 86_400 })
    await room.register(gateway, token)
  })

  // req: progress-maximum
  it('goes on for an hour, and not for ever', async () => {
    const call = { name: 'chatter', arguments: {} }
    const events = readEvents(
      await gateway.fetch('/scripted/mcp', modern(token, 'tools/call', call)),
    )
    expect(await events.next()).toContain('notifications/message')
    now += 59 * 60_000
    await room.control({ release: true })
    expect(await events.next()).toContain('notifications/message')
    now += 2 * 60_000
    await room.control({ release: true })
    expect(await events.next()).toContain('notifications/message')
    expect(await events.next()).toContain('"code":-31015')
    expect(await events.next()).toBeUndefined()
    await expect.poll(async () => (await room.log()).closed).toContain('chatter')
    const lines = gateway.events.filter(
      ({ type, tool }) => type === 'request' && tool === 'chatter',
    )
    expect(lines).toMatchObject([{ outcome: 'upstream_timeout', status: 200 }])
  })
})
