import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'

interface Logged {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const origin = () => inject('scriptedOrigin')

async function upstreamLog(): Promise<{ log: Logged[]; closed: string[] }> {
  const response = await fetch(`${origin()}/log`)
  return response.json()
}

const ENVELOPE =
  '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}'

describe('the modern relay', () => {
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    for (const [path, url, headers] of [
      ['scripted', `${origin()}/modern`, { 'x-service-name': 'gatehouse' }],
      ['real', inject('modernUrl'), {}],
    ]) {
      const response = await gateway.fetch(
        '/api/v1/servers',
        rest(token, 'POST', { path, name: path, headers, endpoints: [{ url }] }),
      )
      expect(response.status).toBe(201)
    }
  })

  beforeEach(async () => {
    await upstreamLog()
  })

  const echo = { name: 'echo', arguments: { message: 'hi' } }
  const send = (init: RequestInit, path = 'scripted') => gateway.fetch(`/${path}/mcp`, init)
  const call = (
    params: Record<string, unknown>,
    headers: Record<string, string> = {},
    id: unknown = 1,
  ) => send(modern(token, 'tools/call', params, headers, id))

  /** A request whose text is written by hand. */
  const raw = (body: string, headers: Record<string, string> = {}) =>
    send({
      ...modern(token, 'tools/call', echo, headers),
      body,
    })

  const without = (init: RequestInit, name: string): RequestInit => {
    const headers = new Headers(init.headers)
    headers.delete(name)
    return { ...init, headers }
  }

  describe('refuses, before anything is sent,', () => {
    const listed = () => modern(token, 'tools/list')
    const called = (headers: Record<string, string> = {}) =>
      modern(token, 'tools/call', echo, headers)
    const region = (headers: Record<string, string>) =>
      modern(token, 'tools/call', { name: 'region', arguments: { region: 'eu' } }, headers)
    const bodyOf = (text: string) => ({ ...called(), body: text })

    it.each<[string, () => RequestInit, number, number, string?]>([
      ['no MCP-Protocol-Version', () => without(called(), 'mcp-protocol-version'), 400, -32020],
      ['no Mcp-Method', () => without(called(), 'mcp-method'), 400, -32020],
      ['no Mcp-Name', () => without(called(), 'mcp-name'), 400, -32020],
      [
        'another version in the header',
        () => called({ 'mcp-protocol-version': '2027-01-01' }),
        400,
        -32020,
      ],
      ['another method in the header', () => called({ 'mcp-method': 'tools/list' }), 400, -32020],
      ['another name in the header', () => called({ 'mcp-name': 'cheap_tool' }), 400, -32020],
      ['a name that is no base64', () => called({ 'mcp-name': '=?base64?%%?=' }), 400, -32020],
      ['a missing Mcp-Param', () => region({}), 400, -32020],
      ['another Mcp-Param', () => region({ 'mcp-param-region': 'us' }), 400, -32020],
      ['a batch', () => bodyOf(`[${String(listed().body)}]`), 400, -32600],
      ['no JSON', () => bodyOf('{"jsonrpc":'), 400, -32700],
      ['an empty body', () => bodyOf(''), 400, -32700],
      ['no JSON-RPC', () => bodyOf('{"hello":"world"}'), 400, -32600],
      [
        'a member twice',
        () => bodyOf(String(called().body).replace('"method"', '"method":"x","method"')),
        400,
        -32700,
      ],
      ['deep JSON', () => bodyOf(`${'['.repeat(100_000)}${']'.repeat(100_000)}`), 400, -32700],
      ['a large body', () => bodyOf(`"${'x'.repeat(4 * 1024 * 1024)}"`), 413, -31009],
      ['another content type', () => called({ 'content-type': 'text/plain' }), 415, -32600],
      ['an Accept without events', () => called({ accept: 'application/json' }), 406, -32600],
    ])('a request with %s', async (_what, init, status, code) => {
      const response = await send(init())
      expect(response.status).toBe(status)
      expect(await response.json()).toMatchObject({
        jsonrpc: '2.0',
        error: { code, data: { requestId: expect.any(String), fix: expect.any(String) } },
      })
      expect((await upstreamLog()).log).toEqual([])
      const next = await call(echo)
      expect(next.status).toBe(200)
      await next.text()
    })

    it('a version that it does not speak, naming those it does', async () => {
      const init = modern(
        token,
        'tools/call',
        {
          ...echo,
          _meta: { 'io.modelcontextprotocol/protocolVersion': '2027-01-01' },
        },
        { 'mcp-protocol-version': '2027-01-01' },
      )
      const response = await send(init)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        id: 1,
        error: { code: -32022, data: { supported: ['2026-07-28'], requested: '2027-01-01' } },
      })
    })

    it('an envelope without what it must hold', async () => {
      const response = await raw(
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}',
      )
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ id: 1, error: { code: -32602 } })
    })
  })

  it('accepts a notification and has nothing to pass on', async () => {
    const response = await raw(
      `{"jsonrpc":"2.0","method":"notifications/anything","params":{"_meta":{${ENVELOPE}}}}`,
      { 'mcp-method': 'notifications/anything' },
    )
    expect(response.status).toBe(202)
    expect(await response.text()).toBe('')
    expect((await upstreamLog()).log).toEqual([])
  })

  it("passes an upstream's method not found on, under the caller's id", async () => {
    const response = await send(modern(token, 'vendor/thing', {}, {}, 'v'))
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 'v',
      error: { code: -32601, message: 'Method not found' },
    })
  })

  it.each([
    '1',
    '0',
    '-7',
    '1.0',
    '12345678901234567890',
    '"text"',
    '"with \\"quotes\\" and \\u00e9"',
  ])('gives the id %s back as it was written', async (id) => {
    const response = await raw(
      `{"id" : ${id} ,"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","arguments":{},"_meta":{${ENVELOPE}}}}`,
    )
    expect(await response.text()).toContain(`"id":${id}`)
  })

  it('changes nothing of the request but its id', async () => {
    const text = `{ "jsonrpc": "2.0", "vendor": [1.0, 1e3], "id": "mine", "method": "tools/call", "params": {"name":"echo","arguments":{"n":123456789012345678901,"u":"\\u00fc"},"inputResponses":{"k":{}},"requestState":"s","_meta":{${ENVELOPE},"progressToken":"p","traceparent":"00-a-b-01","vendor/key":{"b":1,"a":2}}} }`
    await (await raw(text)).text()
    const [logged] = (await upstreamLog()).log
    const sent = logged?.body ?? ''
    const id = JSON.parse(sent).id
    expect(sent).toBe(text.replace('"mine"', JSON.stringify(id)))
  })

  it('changes nothing of the answer but its id', async () => {
    const response = await call({ name: 'exotic', arguments: {} }, {}, 42)
    expect(response.status).toBe(200)
    expect(response.headers.get('set-cookie')).toBeNull()
    expect(await response.text()).toBe(
      '{"jsonrpc": "2.0", "id": 42, "result": {"content":[{"type":"hologram","n":1.0,"big":123456789012345678901}],"x-vendor":{"b":1,"a":2},"_meta":{"vendor/key":"ü"}}, "extra": true}',
    )
  })

  it('sends a random id of its own', async () => {
    await (await call(echo)).text()
    await (await call(echo)).text()
    const ids = (await upstreamLog()).log.map(({ body }) => JSON.parse(body).id)
    expect(new Set([...ids, 1]).size).toBe(3)
  })

  it('builds the headers of hop 2 from nothing', async () => {
    const response = await call(echo, {
      cookie: 'session=canary',
      'x-api-key': 'canary',
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-user': 'canary',
      'cf-access-jwt-assertion': 'canary',
      'cf-connecting-ip': '10.0.0.1',
      'x-user': 'canary',
      'x-groups': 'admin',
      'mcp-init-host': 'evil.example',
      'mcp-session-id': 'canary',
      'last-event-id': 'canary',
      'x-gateway-secret': 'canary',
      referer: 'https://canary.example',
      te: 'trailers',
    })
    expect(response.status).toBe(200)
    await response.text()
    const [logged] = (await upstreamLog()).log
    // The platform itself adds the name of the Worker's zone.
    const { host, 'content-length': length, 'cf-worker': _zone, ...headers } = logged?.headers ?? {}
    expect(origin()).toContain(host)
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

  it('authenticates by X-Authorization alone, and sends neither on', async () => {
    const good = { authorization: 'Bearer for-the-upstream', 'x-authorization': `Bearer ${token}` }
    expect((await call(echo, good)).status).toBe(200)
    const [logged] = (await upstreamLog()).log
    expect(JSON.stringify(logged)).not.toContain('for-the-upstream')
    expect(JSON.stringify(logged)).not.toContain(token)
    const bad = { authorization: `Bearer ${token}`, 'x-authorization': 'Bearer nonsense' }
    expect((await call(echo, bad)).status).toBe(401)
  })

  it('computes Mcp-Name and Mcp-Param from the body, and passes unknown Mcp-Param on', async () => {
    const region = 'Zürich '
    const encoded = `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(region)))}?=`
    const response = await call(
      { name: 'region', arguments: { region } },
      { 'mcp-param-region': encoded, 'mcp-param-unknown': 'kept' },
    )
    expect(response.status).toBe(200)
    await response.text()
    const [logged] = (await upstreamLog()).log
    expect(logged?.headers).toMatchObject({
      'mcp-name': 'region',
      'mcp-param-region': encoded,
      'mcp-param-unknown': 'kept',
    })
  })

  it('hands the first event on before the upstream has finished', async () => {
    const response = await call({ name: 'hang', arguments: {} })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const reader = response.body?.getReader()
    const first = await reader?.read()
    expect(new TextDecoder().decode(first?.value)).toContain('notifications/message')
    await reader?.cancel()
  })

  it('closes the upstream call when the client goes away', async () => {
    const response = await call({ name: 'hang', arguments: {} })
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await expect.poll(async () => (await upstreamLog()).closed).toEqual(['hang'])
    const last = gateway.events.findLast((event) => event['type'] === 'request')
    expect(last).toMatchObject({ tool: 'hang', outcome: 'cancelled', status: 200 })
  })

  it("restores the id in a stream's answer and leaves its notifications alone", async () => {
    const response = await call({ name: 'drip', arguments: {} }, {}, 'd')
    expect(await response.text()).toBe(
      'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n' +
        'data: {"jsonrpc":"2.0","id":"d","result":{"content":[]}}\n\n',
    )
  })

  it('carries a large answer whole', async () => {
    const characters = 5_000_000
    const response = await send(
      modern(token, 'tools/call', { name: 'big', arguments: { characters } }),
      'real',
    )
    const text = await response.text()
    expect(text).toContain('x'.repeat(characters))
  })
})
