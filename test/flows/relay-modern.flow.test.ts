import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { modern } from '../support/gateway.ts'
import { ENVELOPE, type ModernRelay, modernRelay } from '../support/modern-relay.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { EXOTIC, FIRST_EVENT } from '../support/scripted-tools.ts'

describe('the modern relay', () => {
  const room = scriptedRoom('relay-modern')
  let relay: ModernRelay

  beforeAll(async () => {
    relay = await modernRelay(room)
    const endpoints = [{ url: inject('modernUrl') }]
    await room.register(relay.gateway, relay.token, { path: 'real', endpoints })
  })

  beforeEach(() => relay.reset())

  // req: notification-202
  it('accepts a notification and has nothing to pass on', async () => {
    const response = await relay.raw(
      `{"jsonrpc":"2.0","method":"notifications/anything","params":{"_meta":{${ENVELOPE}}}}`,
      { 'mcp-method': 'notifications/anything' },
    )
    expect(response.status).toBe(202)
    expect(await response.text()).toBe('')
    expect((await room.log()).log).toEqual([])
  })

  // req: unknown-method-404
  it("passes an upstream's method not found on, under the caller's id", async () => {
    const response = await relay.send(modern(relay.token, 'vendor/thing', {}, {}, 'v'))
    expect(response.status).toBe(404)
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 'v',
      error: { code: -32601, message: 'Method not found' },
    })
    expect(relay.eventLines()).toMatchObject([{ method: 'vendor/thing', outcome: 'rpc_error' }])
  })

  it.each([200, 400, 404])("passes an upstream's own error under HTTP %d on", async (status) => {
    const response = await relay.call({ name: 'rpc_error', arguments: { status } }, {}, 1.5)
    expect(response.status).toBe(status)
    expect(await response.text()).toBe(
      '{"jsonrpc":"2.0","id":1.5,"error":{"code":-31999,"message":"theirs","data":{"n":1.0}}}',
    )
    expect(relay.eventLines()).toMatchObject([{ tool: 'rpc_error', outcome: 'rpc_error', status }])
  })

  it('tells a tool that failed from one that answered, in its event line alone', async () => {
    const response = await relay.tool('fails')
    expect(await response.json()).toMatchObject({ id: 1, result: { isError: true } })
    expect(relay.eventLines()).toMatchObject([
      { tool: 'fails', outcome: 'tool_error', status: 200 },
    ])
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
    const response = await relay.raw(
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
    expect((await relay.raw(text)).status).toBe(200)
    const [logged] = (await room.log()).log
    const sent = logged?.body ?? ''
    const { id } = JSON.parse(sent)
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(sent).toBe(text.replace('"mine"', JSON.stringify(id)))
  })

  // req: unknown-survives
  it('changes nothing of the answer but its id, and passes none of its headers on', async () => {
    const response = await relay.tool('exotic', 42)
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
    const response = await relay.tool('gzipped', 'z')
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(response.headers.get('content-length')).toBeNull()
    expect(await response.text()).toBe(`{"jsonrpc":"2.0","id":"z","result":${EXOTIC}}`)
  })

  // req: unknown-survives
  it('changes nothing of a stream but the id of its answer', async () => {
    const response = await relay.tool('exotic_sse', 'd')
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
    const answers = messages.map((message) =>
      relay.call({ name: 'held', arguments: { message } }, {}, 7),
    )
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

  it('carries a large answer whole', async () => {
    const characters = 5_000_000
    const big = { name: 'big', arguments: { characters } }
    const response = await relay.send(modern(relay.token, 'tools/call', big, {}, 'big'), 'real')
    const { id, result } = JSON.parse((await response.text()).replace(/^[\s\S]*?data: /, ''))
    expect(id).toBe('big')
    expect(result.content[0].text === 'x'.repeat(characters)).toBe(true)
  })

  it('carries a large request whole, and one of a byte more not at all', async () => {
    const limit = 4 * 1024 * 1024
    const start = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{${ENVELOPE}},"pad":"`
    const fits = `${start}${'x'.repeat(limit - start.length - 3)}"}}`
    expect(fits.length).toBe(limit)
    expect((await relay.raw(fits)).status).toBe(200)
    const [logged] = (await room.log()).log
    expect(logged?.body.length).toBe(limit - 1 + JSON.stringify(crypto.randomUUID()).length)
    expect((await relay.raw(`${fits} `)).status).toBe(413)
  })

  // req: lists-private
  it('gives a list as the upstream wrote it, but for who may keep it', async () => {
    const response = await relay.send(modern(relay.token, 'tools/list', {}, {}, 9))
    const listed = await fetch(room.url('modern'), {
      ...modern('', 'tools/list', {}, {}, 9),
    })
    expect(await response.text()).toBe(
      (await listed.text()).replace('"cacheScope":"public"', '"cacheScope":"private"'),
    )
  })
})
