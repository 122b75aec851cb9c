import { beforeEach, describe, expect, it } from 'vitest'
import { MAX_MESSAGES } from '../../src/mcp/sse/conversation.ts'
import { createTestGateway, rest } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { openSse, type SseClient } from '../support/sse-client.ts'

const told = (method: string) => `data: {"jsonrpc":"2.0","method":"${method}"}\n\n`
const call = (id: unknown, name: string, args: object = {}) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: args },
})
const room = scriptedRoom('sse-lives')
const second = scriptedRoom('sse-lives-second')
const POLICY = {
  group_mappings: { clerks: ['clerk'] },
  clerk: ['scripted', 'second'].map((server) => ({ server, methods: ['*'], tools: ['*'] })),
}

/** A clerk with a stream on one isolate, and another isolate where things change. */
async function listening(path: string, ttlSeconds = 3_600) {
  let now = Date.now()
  const seams = { clock: { now: () => now } }
  const vars = { LIMIT_PRINCIPAL_PER_MINUTE: '100000', LIMIT_TENANT_PER_MINUTE: '100000' }
  const here = createTestGateway({ seams, vars })
  const there = createTestGateway({ seams, vars, tenant: here.tenant })
  const admin = await there.token({ ttlSeconds: 86_400 })
  for (const [name, one] of [
    ['scripted', room],
    ['second', second],
  ] as const) {
    await one.register(there, admin, { path: name, endpoints: [{ url: one.url('dual') }] })
  }
  const change = async (method: string, at: string, body: unknown) => {
    const changed = await there.fetch(`/api/v1${at}`, rest(admin, method, body))
    expect(changed.ok).toBe(true)
  }
  await change('PUT', '/policy', POLICY)
  const token = (seconds: number) =>
    here.token({ subject: 'cleo', groups: ['clerks'], ttlSeconds: seconds })
  const client = await openSse(here, await token(ttlSeconds), path)
  await client.greet()
  const lines = () => here.events.filter(({ httpMethod }) => httpMethod === 'GET')
  const advance = (ms: number) => {
    now += ms
  }
  return { here, there, client, change, token, lines, advance }
}

const streams = (of: typeof room) => expect.poll(async () => (await of.log()).streams)
const endOf = async (client: SseClient) => {
  for (;;) if ((await client.next()) === undefined) return
}

beforeEach(async () => {
  for (const one of [room, second]) {
    await one.control({ closeStreams: true, offersStreams: true, release: true })
    await streams(one).toBe(0)
  }
})

describe('a stream of HTTP with SSE', () => {
  it.each<[string, string, string, unknown]>([
    ['its server is disabled', 'POST', '/servers/scripted/toggle', { enabled: false }],
    ['its server is hidden', 'PATCH', '/servers/scripted', { visibility: 'private' }],
    ['its client lost the right', 'PUT', '/policy', { group_mappings: {} }],
  ])('ends within 5 s when %s, and tells nothing more', async (_title, method, at, body) => {
    const { client, change, advance, lines } = await listening('/scripted/sse')
    await streams(room).toBe(1)
    await change(method, at, body)
    advance(6_000)
    await room.control({ say: told('notifications/secret') })
    expect(await client.next()).toBeUndefined()
    await expect.poll(lines).toMatchObject([{ status: 200, outcome: 'not_found' }])
    await streams(room).toBe(0)
  })

  it('ends with the token that opened it', async () => {
    const { client, advance, lines, token } = await listening('/scripted/sse', 60)
    await streams(room).toBe(1)
    advance(61_000)
    // A newer token posts, and does not make the stream live longer.
    await client.say(call(1, 'echo'), { token: await token(3_600) })
    await endOf(client)
    await expect.poll(lines).toMatchObject([{ status: 200, outcome: 'unauthenticated' }])
  })

  it('ends by itself at the moment the token expires', async () => {
    const gateway = createTestGateway()
    const short = await gateway.token({ ttlSeconds: 2 })
    const client = await openSse(gateway, short, '/sse')
    expect(await client.next()).toBeUndefined()
  })

  it('ends when the session behind it has ended', async () => {
    const { client, change, advance, lines } = await listening('/scripted/sse')
    await streams(room).toBe(1)
    // Under the name at which the session was opened another server stands now.
    await change('DELETE', '/servers/scripted', undefined)
    const endpoints = [{ url: second.url('dual') }]
    await change('POST', '/servers', { path: 'scripted', name: 'Scripted', endpoints })
    advance(6_000)
    await client.say(call('gone', 'echo'))
    expect(await client.next()).toMatchObject({
      id: 'gone',
      error: { data: { code: 'session_not_found' } },
    })
    expect(await client.next()).toBeUndefined()
    await expect.poll(lines).toMatchObject([{ status: 200 }])
  })

  it('goes on when the endpoint of its session is registered no more: at another one', async () => {
    const { client, change, advance } = await listening('/scripted/sse')
    await streams(room).toBe(1)
    await change('PATCH', '/servers/scripted', { endpoints: [{ url: second.url('dual') }] })
    advance(6_000)
    await client.say(call('moved', 'echo'))
    expect(await client.next()).toMatchObject({ id: 'moved', result: {} })
    await client.leave()
  })

  // req: disconnect-cancels
  it('takes its calls and its session with it when the client leaves', async () => {
    const { client } = await listening('/scripted/sse')
    await streams(room).toBe(1)
    await room.log()
    await client.say(call(1, 'silent'))
    await client.say(call(2, 'drip'))
    await expect.poll(async () => client.next()).toMatchObject({ method: 'notifications/message' })
    await client.leave()
    const closed: string[] = []
    await expect
      .poll(async () => closed.push(...(await room.log()).closed) && closed.toSorted())
      .toEqual(['drip', 'silent'])
    await streams(room).toBe(0)
  })

  it('goes on in another one when it is full, in the same session', async () => {
    const { here, client, token } = await listening('/scripted/sse')
    await client.leave()
    const fresh = await token(3_600)
    const full = await openSse(here, fresh, '/scripted/sse')
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {} }
    await full.say({ id: 0, method: 'initialize', params })
    const eventId = /^id: (\S+)$/m.exec((await full.nextEvent()) ?? '')?.[1] ?? ''
    expect(eventId).not.toBe('')
    await full.say({ method: 'notifications/initialized' })
    await room.log()
    // A batch counts as what is in it, although it is refused in this revision.
    const inBatch = 50
    const batch = Array.from({ length: inBatch }, () => ({ jsonrpc: '2.0', id: 1, method: 'ping' }))
    let said = 2
    for (; said + inBatch < MAX_MESSAGES; said += inBatch) {
      expect((await full.post(JSON.stringify(batch))).status).toBe(202)
      expect(await full.next()).toMatchObject({ id: null })
    }
    for (; said < MAX_MESSAGES; said += 1) {
      await full.say(call(said, 'echo'))
      expect(await full.next()).toMatchObject({ id: said })
    }
    expect(await full.next()).toBeUndefined()
    expect((await full.post('{"jsonrpc":"2.0","id":1,"method":"ping"}')).status).toBe(404)
    const sessions = new Set((await room.log()).log.map(({ headers }) => headers['mcp-session-id']))
    expect(sessions.size).toBe(1)

    const next = await openSse(here, fresh, '/scripted/sse', { 'last-event-id': eventId })
    await streams(room).toBe(1)
    await next.say(call('on', 'echo'))
    expect(await next.next()).toMatchObject({ id: 'on', result: {} })
    const { log } = await room.log()
    expect(log.filter(({ httpMethod }) => httpMethod === 'DELETE')).toEqual([])
    expect(log.at(-1)?.headers['mcp-session-id']).toBe([...sessions][0])
    await next.leave()

    // To nobody else it says anything.
    const other = await here.token()
    const strange = await openSse(here, other, '/scripted/sse', { 'last-event-id': eventId })
    await strange.say(call('strange', 'echo'))
    expect(await strange.next()).toMatchObject({ id: 'strange', error: { code: -32600 } })
    await strange.leave()
  })
})

describe('a stream of everything', () => {
  it('speaks to all servers, in the revision of 2024-11-05', async () => {
    const { client } = await listening('/sse')
    await client.say({ id: 'list', method: 'tools/list' })
    const list = await client.next()
    const names = Object(list?.['result'])['tools'].map(({ name }: { name: string }) => name)
    expect(names).toEqual(expect.arrayContaining(['scripted__echo', 'second__echo']))
    await client.say(call(1, 'scripted__echo', { to: 1 }))
    expect(await client.next()).toMatchObject({ id: 1, result: { content: [{ type: 'text' }] } })
    await client.say(call(2, 'second__echo', { to: 2 }))
    expect(await client.next()).toMatchObject({ id: 2, result: { content: [{ type: 'text' }] } })
    // What either says by itself comes under its name.
    await streams(second).toBe(1)
    await second.control({ say: 'data: {"jsonrpc":"2.0","id":7,"method":"roots/list"}\n\n' })
    expect(await client.next()).toMatchObject({ id: 'second:7', method: 'roots/list' })
    await second.log()
    await client.say({ id: 'second:7', result: { roots: [] } })
    await expect
      .poll(async () => (await second.log()).log.map(({ body }) => body))
      .toEqual(['{"jsonrpc":"2.0","id":7,"result":{"roots":[]}}'])
    await client.leave()
    await streams(room).toBe(0)
    await streams(second).toBe(0)
  })

  it('agrees upon the revision that its client asks for, and takes batches in it', async () => {
    const { here, token } = await listening('/sse')
    const client = await openSse(here, await token(3_600), '/sse')
    expect(await client.greet('2024-11-05')).toMatchObject({
      protocolVersion: '2024-11-05',
      serverInfo: { name: 'gatehouse' },
    })
    const batch = ['one', 'two'].map((id) => ({ jsonrpc: '2.0', id, method: 'ping' }))
    expect((await client.post(JSON.stringify(batch))).status).toBe(202)
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 'one', result: {} })
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 'two', result: {} })
    await client.leave()
  })
})
