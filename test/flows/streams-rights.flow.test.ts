import { describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import { createTestGateway, hello, legacy, rest } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { stoppedClock } from '../support/stopped-clock.ts'

describe('the stream of a client whose rights change (DESIGN.md, Decision 4)', () => {
  const room = scriptedRoom('streams-rights')
  const TOLD = 'data: {"jsonrpc":"2.0","method":"notifications/x"}'
  const POLICY = {
    group_mappings: { clerks: ['clerk'] },
    clerk: [{ server: 'scripted', methods: ['*'], tools: ['*'] }],
  }

  /** A stream of a clerk on one isolate; the administrator is on another. */
  async function listening(ttlSeconds = 3_600) {
    const clock = stoppedClock()
    const seams = { clock }
    const here = createTestGateway({ seams })
    const there = createTestGateway({ seams, tenant: here.tenant })
    const admin = await there.token()
    const change = async (method: string, path: string, body: unknown) => {
      const changed = await there.fetch(`/api/v1${path}`, rest(admin, method, body))
      expect(changed.ok).toBe(true)
    }
    await change('PUT', '/policy', POLICY)
    await room.register(there, admin, { endpoints: [{ url: room.url('dual') }] })
    const clerk = await here.token({ subject: 'cleo', groups: ['clerks'], ttlSeconds })
    const opened = await here.fetch('/scripted/mcp', legacy(clerk, 'initialize', hello()))
    await opened.text()
    const response = await here.fetch('/scripted/mcp', {
      headers: {
        authorization: `Bearer ${clerk}`,
        accept: 'text/event-stream',
        'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      },
    })
    expect(response.status).toBe(200)
    const events = readEvents(response)
    await room.control({ say: `${TOLD}\n\n` })
    expect(await events.next()).toBe(TOLD)
    return { here, change, events, advance: clock.advance }
  }

  it('asks D1 once in a while, and not for every event', async () => {
    const { here, events, advance } = await listening()
    here.work.d1 = 0
    for (let times = 0; times < 20; times += 1) {
      await room.control({ say: `${TOLD}\n\n` })
      expect(await events.next()).toBe(TOLD)
    }
    expect(here.work.d1).toBe(0)
    advance(6_000)
    await room.control({ say: `${TOLD}\n\n` })
    expect(await events.next()).toBe(TOLD)
    // The generation, which has not changed: `prepare` and the read.
    expect(here.work.d1).toBeLessThanOrEqual(2)
    await events.cancel()
  })

  it.each<[string, string, string, unknown]>([
    ['its server is disabled', 'POST', '/servers/scripted/toggle', { enabled: false }],
    ['its server is deleted', 'DELETE', '/servers/scripted', undefined],
    ['its server is hidden', 'PATCH', '/servers/scripted', { visibility: 'private' }],
    ['the grant is taken away', 'PUT', '/policy', { ...POLICY, group_mappings: { clerks: [] } }],
  ])('says nothing more when %s on another isolate', async (_what, method, path, body) => {
    const { here, change, events, advance } = await listening()
    await change(method, path, body)
    advance(5_000)
    await room.control({ say: `${TOLD}\n\n` })
    expect(await events.next()).toBeUndefined()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    const line = () => here.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(line).toMatchObject([{ status: 200, outcome: 'not_found' }])
  })

  it('says nothing more when the token has expired', async () => {
    const { here, events, advance } = await listening(4)
    advance(6_000)
    await room.control({ say: `${TOLD}\n\n` })
    expect(await events.next()).toBeUndefined()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    const line = () => here.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(line).toMatchObject([{ status: 200, outcome: 'unauthenticated' }])
  })
})
