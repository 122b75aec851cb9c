import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { registerShop, SHOP } from '../support/shop.ts'

/** ATTACKS.md, 21: what is meant to exhaust the gateway is bounded, by size and by time. */
const SHORT = { STREAM_STALL_MS: '200', STREAM_MESSAGE_MS: '300' }
const MIB = 1024 * 1024

const call = (token: string, name: string, id: unknown = 'mine') =>
  modern(token, 'tools/call', { name, arguments: {} }, {}, id)

describe('an upstream that would exhaust its caller', () => {
  const room = scriptedRoom('exhaustion')
  let gateway: TestGateway
  /** As deployed, for what takes its time to unfold. */
  let patient: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ vars: SHORT })
    patient = createTestGateway({ tenant: gateway.tenant })
    token = await gateway.token()
  })

  beforeEach(async () => {
    await room.log()
    gateway.events.length = 0
  })

  /** A server of its own for each tool: what it does opens breakers. */
  async function ask(tool: string, of = gateway): Promise<Response> {
    const path = `${tool.replaceAll('_', '-')}${of === patient ? '-2' : ''}`
    await room.register(gateway, token, { path })
    return of.fetch(`/${path}/mcp`, call(token, tool))
  }
  const closed = async (tool: string) => {
    const written: (readonly [string, number])[] = []
    await expect
      .poll(
        async () => {
          written.push(...(await room.log()).written)
          return written.map(([name]) => name)
        },
        { timeout: 20_000 },
      )
      .toContain(tool)
    return written.find(([name]) => name === tool)?.[1] ?? 0
  }
  const outcome = (tool: string) =>
    expect
      .poll(() => gateway.events.find((event) => event['tool'] === tool)?.['outcome'])
      .toBe('stalled')

  it('is read no further than its reader reads, and left when that one stalls', async () => {
    const response = await ask('endless_sse')
    expect(response.status).toBe(200)
    // Nothing of it is read. What was written lies in sockets on the way, not in the gateway.
    expect(await closed('endless_sse')).toBeLessThan(16 * MIB)
    await outcome('endless_sse')
    await expect(response.text()).rejects.toThrow('nobody reads')
  })

  it.each(['json_huge', 'bomb_json'])(
    'is left when a large body of it stalls: %s',
    async (tool) => {
      const response = await ask(tool)
      expect(response.status).toBe(200)
      // A bomb is so small that its server is done with it.
      if (tool === 'json_huge') expect(await closed(tool)).toBeLessThan(16 * MIB)
      await outcome(tool)
      await expect(response.text()).rejects.toThrow('nobody reads')
    },
  )

  it('cannot hold a call by dripping bytes within an event: one clean error', async () => {
    const response = await ask('drip_bytes')
    const events = readEvents(response)
    const last = JSON.parse((await events.next())?.replace(/^event: message\ndata: /, '') ?? '')
    expect(last).toMatchObject({ id: 'mine', error: { data: { code: 'upstream_timeout' } } })
    expect(await events.next()).toBeUndefined()
    await closed('drip_bytes')
  })

  it('cannot do it within a large event either, which is cut', async () => {
    const response = await ask('drip_bytes_large')
    const text = await response.text()
    expect(text).toContain('"code":"upstream_timeout"')
    await closed('drip_bytes_large')
  })

  it('cannot do it within a JSON body: one clean error', async () => {
    const response = await ask('drip_bytes_json')
    expect(await response.json()).toMatchObject({
      id: 'mine',
      error: { code: -31015, data: { code: 'upstream_timeout' } },
    })
    await closed('drip_bytes_json')
  })

  it('is measured by what its compressed events unfold to: one clean error', async () => {
    const text = await (await ask('bomb_sse', patient)).text()
    expect(text.length).toBeLessThan(33 * MIB)
    const last = text.slice(text.lastIndexOf('data: ') + 6)
    expect(JSON.parse(last)).toMatchObject({ id: 'mine', error: { code: -31012 } })
  })

  it('is measured by what its compressed body unfolds to: it breaks off', async () => {
    const response = await ask('bomb_json', patient)
    let size = 0
    const read = async () => {
      for await (const chunk of response.body ?? []) size += chunk.byteLength
    }
    await expect(read()).rejects.toThrow('upstream broke off')
    expect(size).toBeLessThan(33 * MIB)
  })

  it('gets no further than its beginning with what is no message: one clean error', async () => {
    const response = await ask('bomb_zeros', patient)
    expect(await response.json()).toMatchObject({
      id: 'mine',
      error: { code: -31012, data: { code: 'upstream_failed' } },
    })
  })
})

describe('a tenant that holds 20 hostile streams', () => {
  const hostile = scriptedRoom('hostile-tenant')
  const quiet = scriptedRoom('quiet-tenant')

  it('costs another one nothing: 50 calls, a fetch each, all answered', async () => {
    const attacker = createTestGateway()
    const token = await attacker.token()
    await hostile.register(attacker, token)
    const neighbour = createTestGateway()
    const others = await neighbour.token()
    await quiet.register(neighbour, others)
    await (await neighbour.fetch('/scripted/mcp', call(others, 'echo'))).text()

    const tools = ['endless_sse', 'json_huge', 'drip_bytes', 'hang']
    const held = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        attacker.fetch('/scripted/mcp', call(token, tools[n % tools.length] ?? '', n)),
      ),
    )
    neighbour.work.fetches = 0
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const response = await neighbour.fetch('/scripted/mcp', call(others, 'echo', n))
        return { status: response.status, body: await response.json() }
      }),
    )
    for (const [n, answer] of answers.entries()) {
      expect(answer).toMatchObject({ status: 200, body: { id: n, result: { content: [{}] } } })
    }
    expect(neighbour.work.fetches).toBe(50)
    await Promise.all(held.map(({ body }) => body?.cancel()))
  })
})

describe('a tool whose schema would exhaust who compiles it', () => {
  const nested = (depth: number) =>
    `${'{"type":"object","properties":{"a":'.repeat(depth)}{}${'}}'.repeat(depth)}`
  const upstream = createFakeUpstream([
    '{"name":"loop","inputSchema":{"type":"object","$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}}',
    '{"name":"regex","inputSchema":{"type":"object","properties":{"a":{"type":"string","pattern":"^(a+)+$","x-mcp-header":"A"}}}}',
    '{"name":"wide","inputSchema":{"type":"object","patternProperties":{"^(([a-z])+.)+[A-Z]([a-z])+$":{}}}}',
    `{"name":"deep","inputSchema":${nested(30)}}`,
  ])

  it('is listed and called like any other: the gateway compiles no schema and no pattern', async () => {
    const gateway = createTestGateway({ seams: { fetcher: upstream.fetcher } })
    const token = await gateway.token()
    await registerShop(gateway, token)
    for (const path of ['/shop/mcp', '/mcp']) {
      const listed = await gateway.fetch(path, modern(token, 'tools/list'))
      expect(await listed.text()).toContain('^(a+)+$')
    }
    const value = `${'a'.repeat(50_000)}!`
    for (const name of ['loop', 'regex', 'wide', 'deep']) {
      const params = { name, arguments: name === 'regex' ? { a: value } : { a: 1 } }
      const headers = name === 'regex' ? { 'mcp-param-a': value } : {}
      const answered = await gateway.fetch(
        '/shop/mcp',
        modern(token, 'tools/call', params, headers),
      )
      expect([name, answered.status]).toEqual([name, 200])
      expect(await answered.text()).toContain(`ran ${name}`)
    }
  })

  it('is refused with its server when it is deeper than anyone reads', async () => {
    const deep = createFakeUpstream([`{"name":"deep","inputSchema":${nested(100_000)}}`])
    const gateway = createTestGateway({ seams: { fetcher: deep.fetcher } })
    const token = await gateway.token()
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', SHOP))
    expect(created.status, await created.text()).toBe(502)
    const health = await gateway.fetch('/health')
    expect(health.status).toBe(200)
  })
})
