import { gzipSync } from 'node:zlib'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

/** ATTACKS.md, 21: what is meant to exhaust the gateway is bounded, by size and by time. */
const SHORT = { STREAM_STALL_MS: '200', STREAM_MESSAGE_MS: '300', BODY_TIMEOUT_MS: '200' }
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

describe('a caller who would exhaust the gateway', () => {
  const upstream = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ vars: SHORT, seams: { fetcher: upstream.fetcher } })
    token = await gateway.token()
    const server = { path: 'shop', name: 'Shop', endpoints: [{ url: 'https://shop.example/mcp' }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
    expect(created.status).toBe(201)
  })

  beforeEach(() => {
    upstream.seen.length = 0
  })

  const post = (body: BodyInit, headers: Record<string, string> = {}) => {
    const init = call(token, 'echo')
    return gateway.fetch('/shop/mcp', { ...init, headers: { ...init.headers, ...headers }, body })
  }

  /** What is read of it is counted. */
  function bodyOf(pieces: number, size: number) {
    const state = { read: 0, isCancelled: false }
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (state.read === pieces) return controller.close()
        state.read += 1
        controller.enqueue(new Uint8Array(size).fill(0x20))
      },
      cancel() {
        state.isCancelled = true
      },
    })
    return { state, stream }
  }

  it('is refused for a body of 10 MB, which is read to its end so that he sees it', async () => {
    const { state, stream } = bodyOf(160, 64 * 1024)
    const response = await post(stream)
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ error: { data: { code: 'body_too_large' } } })
    expect(state.read).toBe(160)
  })

  it('is refused for a body without end, of which a part is read', async () => {
    const { state, stream } = bodyOf(Number.POSITIVE_INFINITY, 1024 * 1024)
    const response = await post(stream)
    expect(response.status).toBe(413)
    expect(state.isCancelled).toBe(true)
    expect(state.read).toBeLessThan(150)
  })

  it('is refused with 408 for a body that drips', async () => {
    let timer: ReturnType<typeof setInterval> | undefined
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        timer = setInterval(() => controller.enqueue(new Uint8Array([0x20])), 20)
      },
      cancel: () => clearInterval(timer),
    })
    const response = await post(stream)
    clearInterval(timer)
    expect(response.status).toBe(408)
    expect(await response.json()).toMatchObject({ error: { data: { code: 'body_timeout' } } })
    expect(upstream.seen).toEqual([])
  })

  it('is refused for a compressed body: it is never unfolded', async () => {
    const bomb = gzipSync(Buffer.alloc(10 * MIB, ' '))
    const response = await post(bomb, { 'content-encoding': 'gzip' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { data: { code: 'parse_error' } } })
    expect(upstream.seen).toEqual([])
  })

  it.each([
    ['JSON of 100,000 levels', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['an argument of 100,000 levels', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ])('is refused for %s', async (_what, args) => {
    const init = call(token, 'echo')
    const body = String(init.body).replace('"arguments":{}', `"arguments":${args}`)
    const response = await post(body)
    expect(response.status).toBe(400)
    expect(upstream.seen).toEqual([])
  })

  it('is refused for a batch of 10,000, of which nothing runs', async () => {
    const one = JSON.parse(String(legacy(token, 'tools/list').body)) as object
    const batch = JSON.stringify(Array.from({ length: 10_000 }, (_, id) => ({ ...one, id })))
    const headers = { 'mcp-protocol-version': '2025-03-26', 'mcp-method': '' }
    const response = await post(batch, headers)
    expect(response.status).toBe(400)
    expect(upstream.seen).toEqual([])
  })

  it('may have so many calls open, and no more', async () => {
    const limited = createTestGateway({
      vars: { MAX_CALLS_PER_PRINCIPAL: '3' },
      seams: { fetcher: (request) => (isHeld ? hanging : upstream.fetcher(request)) },
    })
    let isHeld = false
    let release: (response: Response) => void = () => undefined
    const hanging = new Promise<Response>((resolve) => {
      release = resolve
    })
    const root = await limited.token()
    const server = { path: 'shop', name: 'Shop', endpoints: [{ url: 'https://shop.example/mcp' }] }
    await limited.fetch('/api/v1/servers', rest(root, 'POST', server))
    await (await limited.fetch('/shop/mcp', call(root, 'echo'))).text()
    isHeld = true
    const held = [1, 2, 3].map((n) => limited.fetch('/shop/mcp', call(root, 'echo', n)))
    limited.work.fetches = 0
    await expect
      .poll(async () => {
        const response = await limited.fetch('/shop/mcp', call(root, 'echo', 4))
        return [response.status, response.headers.get('retry-after')]
      })
      .toEqual([429, '1'])
    release(new Response(null, { status: 500 }))
    for (const one of held) await (await one).text()
    isHeld = false
    expect((await limited.fetch('/shop/mcp', call(root, 'echo'))).status).toBe(200)
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
    const server = { path: 'shop', name: 'Shop', endpoints: [{ url: 'https://shop.example/mcp' }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
    expect(created.status).toBe(201)
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
    const server = { path: 'shop', name: 'Shop', endpoints: [{ url: 'https://shop.example/mcp' }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
    expect(created.status, await created.text()).toBe(502)
    const health = await gateway.fetch('/health')
    expect(health.status).toBe(200)
  })
})

describe('streams that a client opens', () => {
  const room = scriptedRoom('stream-bounds')

  async function gatewayWith(vars: Record<string, string>) {
    let now = Date.now()
    const gateway = createTestGateway({ vars, seams: { clock: { now: () => now } } })
    const token = await gateway.token({ ttlSeconds: 10 * 86_400 })
    await room.register(gateway, token, { endpoints: [{ url: room.url('dual') }] })
    const open = async () => {
      const opened = await gateway.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
      await opened.text()
      return gateway.fetch('/scripted/mcp', {
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'text/event-stream',
          'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
        },
      })
    }
    const advance = (ms: number) => {
      now += ms
    }
    return { gateway, token, open, advance }
  }

  it('end cleanly when their time is over, between two messages', async () => {
    const { gateway, open, advance } = await gatewayWith({ STREAM_MAX_MS: '3600000' })
    const events = readEvents(await open())
    const told = 'data: {"jsonrpc":"2.0","method":"notifications/x"}'
    await room.control({ say: `${told}\n\n` })
    expect(await events.next()).toBe(told)
    advance(3_600_001)
    await room.control({ say: `${told}\n\n` })
    expect(await events.next()).toBe(told)
    expect(await events.next()).toBeUndefined()
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    const lines = () => gateway.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(lines).toMatchObject([{ outcome: 'ok', status: 200 }])
  })

  it('end the same way where the gateway itself tells them', async () => {
    const { gateway, token } = await gatewayWith({ STREAM_MAX_MS: '500' })
    const params = { notifications: { toolsListChanged: true } }
    const response = await gateway.fetch('/mcp', modern(token, 'subscriptions/listen', params))
    const text = await response.text()
    expect(text).toMatch(/"id":1,"result":\{"resultType":"complete"/)
  })

  it('are cut when they are not read, and what they hear is left', async () => {
    const { gateway, open } = await gatewayWith({ STREAM_STALL_MS: '200' })
    const response = await open()
    const told = `data: {"jsonrpc":"2.0","method":"notifications/x","params":{"a":"${'x'.repeat(100_000)}"}}\n\n`
    await room.control({ say: told.repeat(3) })
    await expect.poll(async () => (await room.log()).streams).toBe(0)
    const lines = () => gateway.events.filter(({ httpMethod }) => httpMethod === 'GET')
    await expect.poll(lines).toMatchObject([{ outcome: 'stalled' }])
    await expect(response.text()).rejects.toThrow()
  })
})

describe('the places of one principal for streams', () => {
  const room = scriptedRoom('places')

  it('are 100 over all isolates, whatever the streams are, and are given back', async () => {
    const here = createTestGateway()
    const there = createTestGateway({ tenant: here.tenant })
    const token = await here.token()
    const policy = { group_mappings: { people: ['user'] } }
    await here.fetch('/api/v1/policy', rest(token, 'PUT', policy))
    await room.register(here, token, { endpoints: [{ url: room.url('dual') }] })
    const opened = await here.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    const headers = {
      authorization: `Bearer ${token}`,
      accept: 'text/event-stream',
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
    }
    const get = () => here.fetch('/scripted/mcp', { headers })
    const sse = (as = token) =>
      there.fetch('/scripted/sse', {
        headers: { authorization: `Bearer ${as}`, accept: 'text/event-stream' },
      })
    const params = { notifications: { toolsListChanged: true } }
    const listen = () => there.fetch('/mcp', modern(token, 'subscriptions/listen', params))

    const streams: Response[] = []
    for (let n = 0; n < 50; n += 1) streams.push(await get(), await sse())
    expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200))
    for (const open of [get, sse, listen]) {
      const refused = await open()
      expect(refused.status).toBe(429)
      expect(refused.headers.get('retry-after')).toBe('30')
      expect(await refused.json()).toMatchObject({ error: { data: { code: 'rate_limited' } } })
    }
    const other = await there.token({ subject: 'ann', groups: ['people'] })
    const hers = await sse(other)
    expect(hers.status).toBe(200)

    await streams[0]?.body?.cancel()
    await streams[1]?.body?.cancel()
    const again: Response[] = []
    for (const open of [get, sse]) {
      await expect
        .poll(async () => {
          const response = await open()
          again.push(response)
          return response.status
        })
        .toBe(200)
    }
    const all = [...streams.slice(2), ...again, hers]
    await Promise.all(all.map(async ({ body }) => body?.cancel()))
  })
})
