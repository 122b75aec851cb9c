import { beforeEach, describe, expect, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { type ScriptedRoom, scriptedRoom } from '../support/scripted-room.ts'

const PATH = '/scripted/mcp'
const echo = { name: 'echo', arguments: { message: 'hi' } }
/** Failures in a row that open a breaker. */
const THRESHOLD = 5

/** Both count their sessions alike: the id of a session at one is that of another at the other. */
describe('a legacy session whose endpoint is lost', () => {
  let rooms: readonly [ScriptedRoom, ScriptedRoom]
  let gateway: TestGateway
  let token: string
  /** Endpoints that cannot be reached, from any isolate of this deployment. */
  let lost: Set<string>

  const isolate = (of: Pick<TestGateway, 'tenant'> | undefined) =>
    createTestGateway({
      ...(of ? { tenant: of.tenant } : {}),
      seams: {
        fetcher: async (request) => {
          if (lost.has(request.url)) throw new Error('refused')
          return fetch(request)
        },
      },
    })

  beforeEach(async () => {
    lost = new Set()
    const name = crypto.randomUUID()
    rooms = [scriptedRoom(`${name}-one`), scriptedRoom(`${name}-two`)]
    gateway = isolate(undefined)
    token = await gateway.token()
    const endpoints = rooms.map((room) => ({ url: room.url('dual') }))
    await rooms[0].register(gateway, token, { endpoints })
    // The first legacy client has the server asked for the handshake, at any endpoint.
    await (await gateway.fetch(PATH, legacy(token, 'initialize', hello()))).text()
  })

  /** Of what arrived since it was last asked. */
  const arrived = async (room: ScriptedRoom) =>
    (await room.log()).log.map(({ body, httpMethod }) =>
      body === '' ? httpMethod : JSON.parse(body).method,
    )

  /** A session, where it was opened, and the other endpoint. */
  async function open(path = PATH) {
    for (const room of rooms) await room.log()
    const opened = await gateway.fetch(path, legacy(token, 'initialize', hello()))
    await opened.text()
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    if (path !== PATH) await call(headers, gateway, path)
    const isFirst = (await arrived(rooms[0])).includes('initialize')
    const [home, other] = isFirst ? rooms : [rooms[1], rooms[0]]
    await other.log()
    return { headers, home, other }
  }

  async function call(
    headers: Record<string, string>,
    on = gateway,
    path = PATH,
    params: Record<string, unknown> = path === PATH ? echo : { ...echo, name: 'scripted__echo' },
  ) {
    const init = legacy(token, 'tools/call', params, headers)
    const { response, settle } = await on.fetchWith(path, init)
    const text = await response.text()
    await settle()
    const { headers: given, status } = response
    return { status, text, retryAfter: given.get('retry-after') }
  }

  async function lose(home: ScriptedRoom, headers: Record<string, string>, path = PATH) {
    lost.add(home.url('dual'))
    for (let failure = 0; failure < THRESHOLD; failure += 1) {
      expect((await call(headers, gateway, path)).text).toContain('"error"')
    }
  }

  it('goes on at another one, once the breaker is open; no call is sent twice', async () => {
    const { headers, home, other } = await open()
    await lose(home, headers)
    expect(await arrived(other)).toEqual([])
    expect((await call(headers)).text).toContain('"result"')
    const initialized = ['initialize', 'notifications/initialized', 'tools/call']
    expect(await arrived(other)).toEqual(initialized)
    lost.clear()
    expect((await call(headers)).text).toContain('"result"')
    expect(await arrived(other)).toEqual(['tools/call'])
    expect(gateway.events).toContainEqual(
      expect.objectContaining({ type: 'session_reestablished' }),
    )
  })

  it('is opened there once, whoever notices first and however many at once', async () => {
    const { headers, home, other } = await open()
    await lose(home, headers)
    const isolates = [gateway, isolate(gateway), gateway]
    // One failure of its own tells an isolate that the breaker is open.
    await call(headers, isolates[1])
    const answers = await Promise.all(isolates.map((one) => call(headers, one)))
    for (const { text } of answers) expect(text).toContain('"result"')
    const methods = await arrived(other)
    expect(methods.filter((method) => method === 'initialize')).toHaveLength(1)
    expect(methods.filter((method) => method === 'tools/call')).toHaveLength(3)
  })

  it('stays there for isolates that never noticed, also when the lost one comes back', async () => {
    const { headers, home, other } = await open()
    await lose(home, headers)
    await call(headers)
    lost.clear()
    await home.log()
    await other.log()
    expect((await call(headers, isolate(gateway))).text).toContain('"result"')
    expect(await arrived(home)).toEqual([])
    expect(await arrived(other)).toEqual(['tools/call'])
  })

  it('stays where it is while a call of it is in flight: 503, and nothing is sent', async () => {
    const { headers, home, other } = await open()
    const params = { name: 'held', arguments: {} }
    const held = call(headers, gateway, PATH, params)
    await expect.poll(() => arrived(home)).toContain('tools/call')
    await lose(home, headers)
    const refused = await call(headers)
    expect(refused).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^\d+$/) })
    expect(await arrived(other)).toEqual([])
    await home.control({ release: true })
    expect((await held).text).toContain('"id":1')
    expect((await call(headers)).text).toContain('"result"')
  })

  it('is refused as before where there is no other endpoint, or none that is well', async () => {
    const { headers, home, other } = await open()
    await lose(home, headers)
    lost.add(other.url('dual'))
    // New sessions wear the other breaker out.
    for (let failure = 0; failure < THRESHOLD; failure += 1) {
      await (await gateway.fetch(PATH, legacy(token, 'initialize', hello()))).text()
    }
    expect(await call(headers)).toMatchObject({ status: 503, retryAfter: expect.any(String) })
  })

  it('goes on at another one when its endpoint is registered no more', async () => {
    const { headers, home, other } = await open()
    const endpoints = [{ url: other.url('dual') }]
    const changed = await gateway.fetch(
      '/api/v1/servers/scripted',
      rest(token, 'PATCH', { endpoints }),
    )
    expect(changed.status, await changed.text()).toBe(200)
    for (const room of rooms) await room.log()
    expect((await call(headers, isolate(gateway))).text).toContain('"result"')
    expect(await arrived(other)).toContain('initialize')
    expect((await call(headers)).text).toContain('"result"')
    expect(await arrived(home)).toEqual([])
    expect(await arrived(other)).toEqual(['tools/call'])
  })

  it('is ended where it is now', async () => {
    const { headers, home, other } = await open()
    await lose(home, headers)
    await call(headers)
    await other.log()
    const { response, settle } = await isolate(gateway).fetchWith(PATH, {
      method: 'DELETE',
      headers: { ...headers, authorization: `Bearer ${token}` },
    })
    expect(response.status).toBe(204)
    await settle()
    expect(await arrived(other)).toEqual(['DELETE'])
    expect((await call(headers)).status).toBe(404)
  })

  it('of a shared endpoint goes on at another one as well', async () => {
    const { headers, home, other } = await open('/mcp')
    await lose(home, headers, '/mcp')
    expect((await call(headers, gateway, '/mcp')).text).toContain('"result"')
    expect(await arrived(other)).toContain('initialize')
    lost.clear()
    await home.log()
    expect((await call(headers, isolate(gateway), '/mcp')).text).toContain('"result"')
    expect(await arrived(home)).toEqual([])
  })
})

describe('a session that the gateway keeps at a legacy server for modern clients', () => {
  it('goes on at another endpoint when its own is lost', async () => {
    const name = crypto.randomUUID()
    const rooms = [scriptedRoom(`${name}-one`), scriptedRoom(`${name}-two`)] as const
    const lost = new Set<string>()
    const gateway = createTestGateway({
      seams: {
        fetcher: async (request) => {
          if (lost.has(request.url)) throw new Error('refused')
          // It speaks the legacy era alone.
          const isModern = request.headers.has('mcp-method')
          return isModern ? new Response(null, { status: 400 }) : fetch(request)
        },
      },
    })
    const token = await gateway.token()
    const endpoints = rooms.map((room) => ({ url: room.url('dual') }))
    await rooms[0].register(gateway, token, { endpoints })
    const call = async (): Promise<string> => {
      const { response, settle } = await gateway.fetchWith(PATH, modern(token, 'tools/call', echo))
      const text = await response.text()
      await settle()
      return text
    }
    const calls = async (room: ScriptedRoom): Promise<number> =>
      (await room.log()).log.filter(({ body }) => body.includes('tools/call')).length

    expect(await call()).toContain('"result"')
    const [home, other] = (await calls(rooms[0])) > 0 ? rooms : [rooms[1], rooms[0]]
    lost.add(home.url('dual'))
    for (let failure = 0; failure < THRESHOLD; failure += 1) {
      expect(await call()).toContain('"error"')
    }
    expect(await calls(other)).toBe(0)
    expect(await call()).toContain('"result"')
    expect(await call()).toContain('"result"')
    expect(await calls(other)).toBe(2)
  })
})
