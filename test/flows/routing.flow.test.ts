import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { legacy, modern } from '../support/gateway.ts'
import { greet } from '../support/legacy-session.ts'
import { answerOf, NOTE, type RoutedCalls, routedCalls, WISH } from '../support/routed-calls.ts'

describe('a call that names a tool and no server', () => {
  let routed: RoutedCalls

  beforeAll(async () => {
    routed = await routedCalls()
  })

  beforeEach(() => routed.reset())

  it('goes to the fastest healthy server of those its caller may use, and says why', async () => {
    const { result } = await answerOf(routed.call({}))
    expect(result?.content[0]?.text).toBe('ran search')
    expect(routed.servers.calls()).toEqual({ fast: 1 })
    expect(result?._meta[NOTE]).toEqual({
      server: 'fast',
      endpoint: expect.any(String),
      reason: 'score',
      definition: expect.stringMatching(/^[0-9a-f]{64}$/),
      candidates: [
        expect.objectContaining({ server: 'fast', reason: 'score', latencyMs: 20 }),
        expect.objectContaining({ server: 'first', reason: 'score', latencyMs: 180 }),
        expect.objectContaining({ server: 'sick', reason: 'availability', health: 'unhealthy' }),
      ],
    })
    expect(routed.gateway.events.filter(({ type }) => type === 'request')).toMatchObject([
      { server: 'fast', tool: 'search', candidates: 3, outcome: 'ok', attempts: 1 },
    ])
  })

  it('keeps the wish to itself, and every other byte of the request', async () => {
    const params = { name: 'search', arguments: { big: 1 }, _meta: { [WISH]: {}, 'vendor/x': 1 } }
    const init = modern(routed.token, 'tools/call', params)
    const body = String(init.body).replace('"big":1', '"big": 12345678901234567890.10')
    await (await routed.gateway.fetch('/mcp', { ...init, body })).text()
    const sent = routed.servers.upstreams['fast']?.seen.at(-1)
    expect(sent?.body).toContain('"arguments":{"big": 12345678901234567890.10}')
    expect(sent?.body).toContain('"vendor/x":1')
    expect(sent?.body).not.toContain(WISH)
    expect(sent?.headers.get('mcp-name')).toBe('search')
  })

  it('reads as unknown without the wish: no server captures a bare name', async () => {
    const unknown = { error: { code: -32602, message: 'Unknown tool: search' } }
    expect(await answerOf(routed.call())).toMatchObject(unknown)
    expect(await answerOf(routed.call({}, 'fast__search'))).toMatchObject({
      error: { message: 'Unknown tool: fast__search' },
    })
    expect(routed.servers.calls()).toEqual({})
    const named = await answerOf(routed.call(undefined, 'first__search'))
    expect(named.result?._meta).toBeUndefined()
    expect(routed.servers.calls()).toEqual({ first: 1 })
  })

  it('reads alike for what nobody has and for what is hidden', async () => {
    for (const [wish, name] of [
      [{}, 'nothing'],
      [{ servers: ['denied'] }, 'search'],
      [{ servers: ['missing'] }, 'search'],
      [{ tag: 'nobody' }, 'search'],
      [{ definition: '0'.repeat(64) }, 'search'],
      [{}, 'list_servers'],
    ] as const) {
      expect(await answerOf(routed.call(wish, name))).toMatchObject({
        error: { code: -32602, message: `Unknown tool: ${name}` },
      })
    }
    const stranger = await routed.gateway.token({ subject: 'sam', groups: [] })
    expect(await answerOf(routed.call({}, 'search', stranger))).toMatchObject({
      error: { message: 'Unknown tool: search' },
    })
    expect(routed.servers.calls()).toEqual({})
  })

  it('says which scope is missing to whom the groups allow it', async () => {
    const narrow = await routed.gateway.token({
      subject: 'sue',
      groups: ['searchers'],
      scopes: ['gatehouse:read'],
    })
    const response = await routed.call({}, 'search', narrow)
    expect(response.status).toBe(403)
    expect(response.headers.get('www-authenticate')).toContain('insufficient_scope')
  })

  it.each([
    ['the servers that it names', { servers: ['first', 'sick'] }, 'first'],
    ['servers with a tag', { tag: 'quick' }, 'fast'],
    ['a preferred one while it is available', { prefer: ['sick', 'first'] }, 'first'],
  ])('goes to %s', async (_what, wish, server) => {
    expect((await answerOf(routed.call(wish))).result?._meta[NOTE]?.server).toBe(server)
    expect(routed.servers.calls()).toEqual({ [server]: 1 })
  })

  it('goes to another definition only where it is asked for', async () => {
    const { result } = await answerOf(routed.call({ definition: 'any', servers: ['changed'] }))
    expect(result?._meta[NOTE]?.server).toBe('changed')
    // Alone there, it is the first one that has it.
    expect((await answerOf(routed.call({}, 'lonely'))).result?._meta[NOTE]).toMatchObject({
      server: 'changed',
      reason: 'only_one',
    })
  })

  it.each([
    ['no object', 'fast'],
    ['a member that is none', { tags: ['quick'] }],
    ['a path that is none', { prefer: ['../x'] }],
    ['a definition that is none', { definition: 'abc' }],
    ['too many servers', { servers: Array.from({ length: 51 }, (_, index) => `s${index}`) }],
  ])('is refused for %s', async (_what, wish) => {
    const response = await routed.call(wish)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: -32602 } })
    expect(routed.servers.calls()).toEqual({})
  })

  it('is for /mcp alone: elsewhere the wish is nobody’s', async () => {
    const { result } = await answerOf(routed.call({}, 'search', routed.token, '/first/mcp'))
    expect(result?.content[0]?.text).toBe('ran search')
    expect(result?._meta).toBeUndefined()
    expect(routed.servers.calls()).toEqual({ first: 1 })
  })

  it('is routed for legacy clients, in a session with each server', async () => {
    const headers = await greet(routed.gateway, routed.token, '/mcp')
    const params = { name: 'search', arguments: {}, _meta: { [WISH]: {} } }
    const { result } = await answerOf(
      routed.gateway.fetch('/mcp', legacy(routed.token, 'tools/call', params, headers)),
    )
    expect(result).toMatchObject({
      content: [{ text: 'ran search' }],
      _meta: { [NOTE]: { server: 'fast' } },
    })
  })
})
