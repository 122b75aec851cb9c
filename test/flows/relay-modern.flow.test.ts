import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestGateway, modern, PUBLIC_URL, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { EXOTIC, FIRST_EVENT } from '../support/scripted-tools.ts'

const ENVELOPE =
  '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}'
const base64 = (text: string) =>
  `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}?=`

describe('the modern relay', () => {
  const room = scriptedRoom('relay-modern')
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    await room.register(gateway, token, { headers: { 'x-service-name': 'gatehouse' } })
    await room.register(gateway, token, { path: 'real', endpoints: [{ url: inject('modernUrl') }] })
  })

  beforeEach(async () => {
    await room.log()
    gateway.events.length = 0
  })

  const echo = { name: 'echo', arguments: { message: 'hi' } }
  const send = (init: RequestInit, path = 'scripted') => gateway.fetch(`/${path}/mcp`, init)
  const call = (
    params: Record<string, unknown>,
    headers: Record<string, string> = {},
    id: unknown = 1,
  ) => send(modern(token, 'tools/call', params, headers, id))
  const tool = (name: string, id: unknown = 1) => call({ name, arguments: {} }, {}, id)
  const eventLines = () => gateway.events.filter(({ type }) => type === 'request')

  /** A request whose text is written by hand. */
  const raw = (body: string, headers: Record<string, string> = {}) =>
    send({ ...modern(token, 'tools/call', echo, headers), body })

  // req: notification-202
  it('accepts a notification and has nothing to pass on', async () => {
    const response = await raw(
      `{"jsonrpc":"2.0","method":"notifications/anything","params":{"_meta":{${ENVELOPE}}}}`,
      { 'mcp-method': 'notifications/anything' },
    )
    expect(response.status).toBe(202)
    expect(await response.text()).toBe('')
    expect((await room.log()).log).toEqual([])
  })

  // req: unknown-method-404
  it("passes an upstream's method not found on, under the caller's id", async () => {
    const response = await send(modern(token, 'vendor/thing', {}, {}, 'v'))
    expect(response.status).toBe(404)
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 'v',
      error: { code: -32601, message: 'Method not found' },
    })
    expect(eventLines()).toMatchObject([{ method: 'vendor/thing', outcome: 'rpc_error' }])
  })

  it.each([200, 400, 404])("passes an upstream's own error under HTTP %d on", async (status) => {
    const response = await call({ name: 'rpc_error', arguments: { status } }, {}, 1.5)
    expect(response.status).toBe(status)
    expect(await response.text()).toBe(
      '{"jsonrpc":"2.0","id":1.5,"error":{"code":-31999,"message":"theirs","data":{"n":1.0}}}',
    )
    expect(eventLines()).toMatchObject([{ tool: 'rpc_error', outcome: 'rpc_error', status }])
  })

  it('tells a tool that failed from one that answered, in its event line alone', async () => {
    const response = await tool('fails')
    expect(await response.json()).toMatchObject({ id: 1, result: { isError: true } })
    expect(eventLines()).toMatchObject([{ tool: 'fails', outcome: 'tool_error', status: 200 }])
  })

  it.each([
    '1',
    '0',
    '-7',
    '1.0',
    '1E2',
    '12345678901234567890',
    '""',
    '"text"',
    '"with \\"quotes\\", \\u00e9 and \\\\"',
  ])('gives the id %s back as it was written', async (id) => {
    const response = await raw(
      `{"id" : ${id} ,"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","arguments":{},"_meta":{${ENVELOPE}}}}`,
    )
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(
      `{"result":{"resultType":"complete","ttlMs":0,"cacheScope":"public","content":[{"type":"text","text":"{}"}]},"jsonrpc":"2.0","id":${id}}`,
    )
  })

  // req: unknown-survives
  // req: meta-reaches-upstream
  // req: client-capabilities-forwarded
  it('changes nothing of the request but its id', async () => {
    const text = `{ "jsonrpc": "2.0", "vendor": [1.0, 1e3], "id": "mine",\n\t"method": "tools/call", "params": {"name":"echo","arguments":{"n":123456789012345678901,"u":"\\u00fc\\/ü","id":"inner"},"inputResponses":{"k":{}},"_meta":{${ENVELOPE},"progressToken":"p","traceparent":"00-a-b-01","vendor/key":{"b":1,"a":2}}} }\n`
    expect((await raw(text)).status).toBe(200)
    const [logged] = (await room.log()).log
    const sent = logged?.body ?? ''
    const { id } = JSON.parse(sent)
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(sent).toBe(text.replace('"mine"', JSON.stringify(id)))
  })

  // req: unknown-survives
  it('changes nothing of the answer but its id, and passes none of its headers on', async () => {
    const response = await tool('exotic', 42)
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(
      `{"jsonrpc": "2.0", "id": 42, "result": ${EXOTIC}, "extra": true}`,
    )
    expect([...response.headers.keys()].sort()).toEqual([
      'cache-control',
      'content-type',
      'ratelimit',
      'ratelimit-policy',
      'x-content-type-options',
      'x-request-id',
    ])
  })

  it('unpacks what the upstream packed', async () => {
    const response = await tool('gzipped', 'z')
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(response.headers.get('content-length')).toBeNull()
    expect(await response.text()).toBe(`{"jsonrpc":"2.0","id":"z","result":${EXOTIC}}`)
  })

  // req: unknown-survives
  it('changes nothing of a stream but the id of its answer', async () => {
    const response = await tool('exotic_sse', 'd')
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(
      `${FIRST_EVENT}event: message\ndata: {"jsonrpc":"2.0","id":"d","result":${EXOTIC}}\n\n`,
    )
    expect([...response.headers.keys()].sort()).toEqual([
      'cache-control',
      'content-type',
      'ratelimit',
      'ratelimit-policy',
      'x-accel-buffering',
      'x-content-type-options',
      'x-request-id',
    ])
  })

  // req: equal-ids-apart
  // req: upstream-ids-own
  it('sends a random id of its own with each call, so that equal ids never meet', async () => {
    const messages = ['a', 'b']
    const answers = messages.map((message) => call({ name: 'held', arguments: { message } }, {}, 7))
    const ids: unknown[] = []
    await expect
      .poll(async () => {
        ids.push(...(await room.log()).log.map(({ body }) => JSON.parse(body).id))
        return ids
      })
      .toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), expect.stringMatching(/^[0-9a-f-]{36}$/)])
    expect(ids[0]).not.toBe(ids[1])
    await room.control({ release: true })
    for (const [index, message] of messages.entries()) {
      expect(await (await answers[index])?.json()).toMatchObject({
        id: 7,
        result: { content: [{ text: JSON.stringify({ message }) }] },
      })
    }
  })

  // req: hop-headers-stay
  // req: client-token-stays
  // req: hop-version-agrees
  it('builds the headers of hop 2 from nothing', async () => {
    const response = await call(echo, {
      origin: PUBLIC_URL,
      cookie: 'session=canary',
      'x-api-key': 'canary',
      forwarded: 'for=canary',
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-host': 'canary.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-user': 'canary',
      'x-real-ip': '10.0.0.1',
      'cf-access-jwt-assertion': 'canary',
      'cf-connecting-ip': '10.0.0.1',
      'cf-ray': 'canary',
      'x-user': 'canary',
      'x-groups': 'admin',
      'mcp-init-host': 'evil.example',
      'mcp-session-id': 'canary',
      'last-event-id': 'canary',
      'x-internal-token': 'canary',
      'x-gateway-secret': 'canary',
      'x-mcp-authorized': 'canary',
      'x-request-id': 'canary',
      'user-agent': 'canary',
      referer: 'https://canary.example',
      te: 'trailers',
      'proxy-authorization': 'canary',
    })
    expect(response.status).toBe(200)
    await response.text()
    const [logged] = (await room.log()).log
    // The platform itself adds the name of the Worker's zone, and how bodies may be packed.
    const {
      host,
      'content-length': length,
      'cf-worker': _zone,
      'accept-encoding': _packing,
      connection: _connection,
      ...headers
    } = logged?.headers ?? {}
    expect(inject('scriptedOrigin')).toContain(host)
    expect(Number(length)).toBeGreaterThan(0)
    expect(headers).toEqual({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
      'mcp-protocol-version': '2026-07-28',
      'user-agent': expect.stringMatching(/^Gatehouse\//),
      'x-service-name': 'gatehouse',
    })
  })

  // req: client-token-stays
  it('authenticates by X-Authorization alone, and sends neither on', async () => {
    const good = { authorization: 'Bearer for-the-upstream', 'x-authorization': `Bearer ${token}` }
    expect((await call(echo, good)).status).toBe(200)
    const [logged] = (await room.log()).log
    expect(JSON.stringify(logged)).not.toContain('for-the-upstream')
    expect(JSON.stringify(logged)).not.toContain(token)
    const bad = { authorization: `Bearer ${token}`, 'x-authorization': 'Bearer nonsense' }
    expect((await call(echo, bad)).status).toBe(401)
    expect((await room.log()).log).toEqual([])
  })

  // req: mirrored-headers-recomputed
  it.each([
    ['echo', base64('echo'), 'echo'],
    ['echo', ' echo ', 'echo'],
    ['größe', base64('größe'), base64('größe')],
    ['two words ', base64('two words '), base64('two words ')],
    [base64('echo'), base64(base64('echo')), base64(base64('echo'))],
  ])('announces the tool %j, mirrored as %j, as %j', async (name, mirrored, announced) => {
    const response = await call({ name, arguments: {} }, { 'mcp-name': mirrored })
    expect(response.status).toBe(200)
    await response.text()
    const [logged] = (await room.log()).log
    expect(logged?.headers['mcp-name']).toBe(announced)
    expect(JSON.parse(logged?.body ?? '').params.name).toBe(name)
  })

  // req: mirrored-headers-recomputed
  it('computes Mcp-Param from the body, and passes unknown ones on', async () => {
    const response = await call(
      { name: 'region', arguments: { region: 'Zürich ', deep: { count: -5 } } },
      {
        'mcp-param-region': base64('Zürich '),
        'mcp-param-count': base64('-5.0'),
        'mcp-param-unknown': 'kept',
      },
    )
    expect(response.status).toBe(200)
    await response.text()
    const [logged] = (await room.log()).log
    const params = Object.entries(logged?.headers ?? {}).filter(([name]) => name.includes('param'))
    expect(Object.fromEntries(params)).toEqual({
      'mcp-param-region': base64('Zürich '),
      'mcp-param-count': '-5',
      'mcp-param-unknown': 'kept',
    })
  })

  it('hands the first event on before the upstream has finished', async () => {
    const response = await tool('drip', 'd')
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const reader = response.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(FIRST_EVENT)
    await room.control({ release: true })
    const next = new TextDecoder().decode((await reader?.read())?.value)
    expect(next).toBe('data: {"jsonrpc":"2.0","id":"d","result":{"content":[]}}\n\n')
    expect(await reader?.read()).toMatchObject({ done: true })
    expect(eventLines()).toMatchObject([{ tool: 'drip', outcome: 'ok', status: 200 }])
  })

  it('hands the first bytes of a large JSON answer on before the upstream has finished', async () => {
    const response = await tool('drip_json', 'd')
    expect(response.headers.get('content-type')).toBe('application/json')
    const reader = response.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('first half')
    await room.control({ release: true })
    let rest = ''
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      rest += new TextDecoder().decode(read.value)
    }
    expect(rest).toContain('"id":"d"')
  })

  // req: disconnect-cancels
  it('closes the upstream call when the client drops the answer', async () => {
    const response = await tool('hang')
    const reader = response.body?.getReader()
    await reader?.read()
    expect(eventLines()).toEqual([])
    await reader?.cancel()
    await expect.poll(async () => (await room.log()).closed).toEqual(['hang'])
    expect(eventLines()).toMatchObject([{ tool: 'hang', outcome: 'cancelled', status: 200 }])
  })

  // req: disconnect-cancels
  // req: late-answer-dropped
  it.each(['silent', 'hang'])(
    'closes the upstream call when the client goes away (%s)',
    async (name) => {
      const client = new AbortController()
      const answering = send({
        ...modern(token, 'tools/call', { name, arguments: {} }),
        signal: client.signal,
      })
      await expect.poll(async () => (await room.log()).log.length).toBe(1)
      if (name === 'hang') void (await answering).text().catch(() => undefined)
      client.abort()
      await expect.poll(async () => (await room.log()).closed).toEqual([name])
      if (name === 'silent') await (await answering).text()
      await expect.poll(eventLines).toMatchObject([{ tool: name, outcome: 'cancelled' }])
      const next = await call(echo)
      expect(next.status).toBe(200)
      await next.text()
    },
  )

  it('counts no client that goes away against the server', async () => {
    const strict = createTestGateway({ vars: { BREAKER_FAILURE_THRESHOLD: '1' } })
    const own = await strict.token()
    await room.register(strict, own)
    for (const name of ['silent', 'hang']) {
      const client = new AbortController()
      const init = modern(own, 'tools/call', { name, arguments: {} })
      const answering = strict.fetch('/scripted/mcp', { ...init, signal: client.signal })
      await expect.poll(async () => (await room.log()).log.at(-1)?.body).toContain(name)
      if (name === 'hang') await answering
      client.abort()
      await (await answering).text().catch(() => undefined)
      await expect.poll(async () => (await room.log()).closed).toEqual([name])
    }
    const next = await strict.fetch('/scripted/mcp', modern(own, 'tools/call', echo))
    expect(next.status).toBe(200)
    await next.text()
  })

  it('carries a large answer whole', async () => {
    const characters = 5_000_000
    const big = { name: 'big', arguments: { characters } }
    const response = await send(modern(token, 'tools/call', big, {}, 'big'), 'real')
    const { id, result } = JSON.parse((await response.text()).replace(/^[\s\S]*?data: /, ''))
    expect(id).toBe('big')
    expect(result.content[0].text === 'x'.repeat(characters)).toBe(true)
  })

  it('carries a large request whole, and one of a byte more not at all', async () => {
    const limit = 4 * 1024 * 1024
    const start = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{${ENVELOPE}},"pad":"`
    const fits = `${start}${'x'.repeat(limit - start.length - 3)}"}}`
    expect(fits.length).toBe(limit)
    expect((await raw(fits)).status).toBe(200)
    const [logged] = (await room.log()).log
    expect(logged?.body.length).toBe(limit - 1 + JSON.stringify(crypto.randomUUID()).length)
    expect((await raw(`${fits} `)).status).toBe(413)
  })

  // req: lists-private
  it('gives a list as the upstream wrote it, but for who may keep it', async () => {
    const response = await send(modern(token, 'tools/list', {}, {}, 9))
    const listed = await fetch(room.url('modern'), {
      ...modern('', 'tools/list', {}, {}, 9),
    })
    expect(await response.text()).toBe(
      (await listed.text()).replace('"cacheScope":"public"', '"cacheScope":"private"'),
    )
  })
})
