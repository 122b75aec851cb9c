import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import { modern } from '../support/gateway.ts'
import type { SessionHeaders } from '../support/legacy-session.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { type SessionStreams, sessionStreams } from '../support/session-streams.ts'

describe('the stream of a legacy session', () => {
  const room = scriptedRoom('streams')
  let client: SessionStreams

  beforeAll(async () => {
    client = await sessionStreams(room)
  })

  beforeEach(() => client.reset())

  it.each([
    ['a call', (session: SessionHeaders) => client.post('echo', session)],
    ['a stream that is refused, and then a call', refusedThenCall],
  ])('is not overtaken by %s that comes right behind it', async (_what, follow) => {
    const session = await client.open()
    await room.log()
    const opening = client.get(session)
    const [response, answered] = await Promise.all([opening, follow(session)])
    expect([response.status, answered.status]).toEqual([200, 200])
    const { log } = await room.log()
    expect(log.map(({ httpMethod }) => httpMethod)).toEqual(['GET', 'POST'])
  })

  async function refusedThenCall(session: SessionHeaders): Promise<Response> {
    const refusing = client.get({ ...session, 'last-event-id': 'no-such-event' })
    const [refused, answered] = await Promise.all([refusing, client.post('echo', session)])
    expect(refused.status).toBeGreaterThanOrEqual(400)
    return answered
  }

  it('carries what its server sends, byte for byte, and ends with it', async () => {
    const session = await client.open()
    await room.log()
    client.gateway.events.length = 0
    const response = await client.get(session)
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const events = readEvents(response)
    const asked = 'data: {"jsonrpc":"2.0", "id":1.0,"method":"ping"}'
    const told =
      'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/x","params":{"n":1.0}}'
    await room.control({ say: `${asked}\n\n${told}\n\n` })
    expect(await events.next()).toBe(asked)
    expect(await events.next()).toBe(told)
    expect(client.lines()).toEqual([])
    await room.control({ closeStreams: true })
    expect(await events.next()).toBeUndefined()
    await expect
      .poll(client.lines)
      .toMatchObject([{ server: 'scripted', era: 'legacy', outcome: 'ok', status: 200 }])

    const [sent] = (await room.log()).log
    expect(sent).toMatchObject({ httpMethod: 'GET', body: '' })
    expect(sent?.headers).toMatchObject({
      accept: 'text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': expect.stringMatching(/^upstream-/),
    })
    expect(sent?.headers).not.toHaveProperty('content-type')
    expect(sent?.headers).not.toHaveProperty('authorization')
  })

  it('carries no responses: nothing was asked there', async () => {
    const events = readEvents(await client.get(await client.open()))
    const answer = 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'
    const error = 'data: {"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}\n\n'
    const large = `data: {"jsonrpc":"2.0","result":{"a":"${'x'.repeat(300_000)}"},"id":1}\n\n`
    const told = 'data: {"jsonrpc":"2.0","method":"notifications/x"}'
    await room.control({ say: `${answer}${error}${large}data: {bad\n\n${told}\n\n` })
    expect(await events.next()).toBe(told)
    await events.cancel()
  })

  it('may be opened several times; each carries its own', async () => {
    const session = await client.open()
    const streams = [readEvents(await client.get(session)), readEvents(await client.get(session))]
    await room.control({ say: 'data: {"jsonrpc":"2.0","method":"notifications/{n}"}\n\n' })
    const told = await Promise.all(streams.map((stream) => stream.next()))
    expect(told.map((event) => /notifications\/\d/.exec(event ?? '')?.[0]).sort()).toEqual([
      'notifications/0',
      'notifications/1',
    ])
    await streams[0]?.cancel()
    await expect.poll(async () => (await room.log()).streams).toBe(1)
    await room.control({ say: 'data: {"jsonrpc":"2.0","method":"notifications/last"}\n\n' })
    expect(await streams[1]?.next()).toContain('notifications/last')
    await streams[1]?.cancel()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
  })

  // req: session-get-404
  it.each<[string, () => Promise<Response>, number, object]>([
    [
      'without a session',
      () => client.get({}),
      400,
      { code: -32600, data: { code: 'session_required' } },
    ],
    [
      'in an unknown session',
      () => client.get({ 'mcp-session-id': 'made-up' }),
      404,
      { code: -31005, data: { code: 'session_not_found' } },
    ],
    [
      'in a session of another server',
      async () => client.get(await client.open('other')),
      404,
      { code: -31005, data: { code: 'session_not_found' } },
    ],
    [
      'in the modern era',
      async () => client.get({ ...(await client.open()), 'mcp-protocol-version': '2026-07-28' }),
      405,
      { code: -31007, data: { code: 'method_not_allowed' } },
    ],
    [
      'of a modern server',
      () => client.get({}, 'modern-only'),
      405,
      { code: -31007, data: { code: 'method_not_allowed' } },
    ],
    [
      'under an unknown version',
      async () => client.get({ ...(await client.open()), 'mcp-protocol-version': '2024-01-01' }),
      400,
      { code: -32022, data: { code: 'unsupported_version' } },
    ],
    [
      'for a client that takes no events',
      async () => client.get({ ...(await client.open()), accept: 'application/json' }),
      406,
      { code: -32600, data: { code: 'not_acceptable' } },
    ],
    ['of an unknown server', () => client.get({}, 'nobody'), 404, { data: { code: 'not_found' } }],
  ])('is not opened %s', async (_what, send, status, error) => {
    const response = await send()
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error })
    if (status === 405) expect(response.headers.get('allow')).toBe('POST, DELETE')
    expect((await room.log()).streams).toBe(0)
  })

  it('is not opened in the session of another user', async () => {
    const response = await client.get(
      await client.open(),
      'scripted',
      await client.gateway.token({ subject: 'mallory' }),
    )
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ error: { data: { code: 'session_not_found' } } })
  })

  it('is 405 where its server gives none', async () => {
    const session = await client.open()
    await room.control({ offersStreams: false })
    const response = await client.get(session)
    await room.control({ offersStreams: true })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('POST, DELETE')
    expect(await response.json()).toMatchObject({ error: { data: { code: 'method_not_allowed' } } })
  })

  it('is opened in a new session when its server forgot the old one', async () => {
    const session = await client.open()
    await room.control({ forgetStatus: 404 })
    const events = readEvents(await client.get(session))
    await room.control({ say: 'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n' })
    expect(await events.next()).toContain('notifications/x')
    expect((await client.post('echo', session)).status).toBe(200)
    await events.cancel()
  })

  it('is no business of a modern client, which sends what it likes', async () => {
    const session = await client.open()
    const init = modern(
      client.token,
      'tools/list',
      {},
      { ...session, 'mcp-protocol-version': '2026-07-28' },
    )
    expect((await client.gateway.fetch('/scripted/mcp', init)).status).toBe(200)
  })
})
