import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import { legacy, NOTIFICATION } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { type Headers, type SessionStreams, sessionStreams } from '../support/session-streams.ts'
import { stoppedClock } from '../support/stopped-clock.ts'

describe('the stream of a legacy session', () => {
  const room = scriptedRoom('streams-resumed')
  const clock = stoppedClock()
  let client: SessionStreams

  beforeAll(async () => {
    client = await sessionStreams(room, clock)
  })

  beforeEach(() => client.reset())

  describe('that is resumed', () => {
    const idOf = (event: string | undefined) => /^id: (.+)$/m.exec(event ?? '')?.[1] ?? ''

    /** The id of an event on a GET stream, as the client has it. */
    async function eventId(session: Headers): Promise<string> {
      const events = readEvents(await client.get(session))
      await room.control({
        say: 'id: theirs\ndata: {"jsonrpc":"2.0","method":"notifications/x"}\n\n',
      })
      const id = idOf(await events.next())
      await events.cancel()
      return id
    }

    // req: event-id-names-stream
    it("goes on where its client left it: the event id is its server's, sealed", async () => {
      const session = await client.open()
      const id = await eventId(session)
      expect(id).toMatch(/^[\w.-]+$/)
      await room.log()
      const events = readEvents(await client.get({ ...session, 'last-event-id': id }))
      const [sent] = (await room.log()).log
      expect(sent?.headers['last-event-id']).toBe('theirs')
      await events.cancel()
    })

    // req: resume-bound-to-stream
    // req: resume-unknown-event
    it.each<[string, (id: string, session: Headers) => Promise<Response> | Response]>([
      ['made up', (_id, session) => client.get({ ...session, 'last-event-id': 'made-up' })],
      ["the server's own", (_id, session) => client.get({ ...session, 'last-event-id': 'theirs' })],
      [
        'tampered with',
        (id, session) =>
          client.get({
            ...session,
            'last-event-id': `${id.slice(0, -2)}${id.endsWith('AA') ? 'BB' : 'AA'}`,
          }),
      ],
      [
        'of another session',
        async (id) => client.get({ ...(await client.open()), 'last-event-id': id }),
      ],
      [
        'of another server',
        async (id) => client.get({ ...(await client.open('other')), 'last-event-id': id }, 'other'),
      ],
      [
        'a day old',
        async (id) => {
          clock.advance(24 * 3_600_000)
          return client.get({ ...(await client.open()), 'last-event-id': id })
        },
      ],
    ])('by an event id that is %s is not: 400, in the same words', async (_what, send) => {
      const session = await client.open()
      const id = await eventId(session)
      await room.log()
      const response = await send(id, session)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        id: null,
        error: {
          code: -32602,
          message: 'There is no such event in this session.',
          data: { code: 'unknown_event' },
        },
      })
      expect((await room.log()).log.filter(({ httpMethod }) => httpMethod === 'GET')).toEqual([])
    })

    it('may be the rest of an answer, which keeps the id of its request', async () => {
      const session = await client.open()
      const started = await client.post('sse_poll', session, 'ü')
      const [priming = '', ...rest] = (await started.text()).split('\n\n')
      expect(rest).toEqual([''])
      expect(priming).toMatch(/^retry: 10\nid: [\w.-]+\ndata: $|^id: [\w.-]+\nretry: 10\ndata: $/)
      expect(client.lines().at(-1)).toMatchObject({ tool: 'sse_poll', outcome: 'ok', status: 200 })

      // Meanwhile it still runs: a cancel finds it.
      await room.log()
      const params = { requestId: 'ü' }
      const note = legacy(client.token, 'notifications/cancelled', params, session, NOTIFICATION)
      expect((await client.gateway.fetch('/scripted/mcp', note)).status).toBe(202)
      const cancels = (await room.log()).log.map(({ body }) => JSON.parse(body).params.requestId)
      expect(cancels).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)])

      const resumed = await client.get({ ...session, 'last-event-id': idOf(priming) })
      const events = (await resumed.text()).split('\n\n')
      expect(events).toHaveLength(2)
      expect(events[0]).toMatch(
        /^id: [\w.-]+\ndata: \{"jsonrpc":"2\.0","id":"ü","result":\{"content":\[\]\}\}$/,
      )
    })
  })

  // req: priming-by-version
  it('has event ids for POST as well, and a priming event for those who know it', async () => {
    const withIds = await (await client.post('sse_ids', await client.open())).text()
    expect(withIds.match(/^id: /gm)).toHaveLength(2)
    expect(withIds).not.toContain('first')
    expect(withIds).toContain('\ndata: \n\n')
    const older = await (
      await client.post('sse_ids', await client.open('scripted', '2025-06-18'))
    ).text()
    expect(older).toMatch(/^id: [\w.-]+\ndata: \{.*"id":"mine".*\}\n\n$/)
  })
})
