import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, hello, legacy, type TestGateway } from '../support/gateway.ts'
import { linesOf } from '../support/request-lines.ts'
import { registerShop } from '../support/shop.ts'

const fake = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
let isFailing = false

/** The fake upstream, whose tool fails on demand. */
async function fetcher(request: Request): Promise<Response> {
  const response = await fake.fetcher(request)
  if (!isFailing || !response.body) return response
  const text = (await response.text()).replace('"content"', '"isError":true,"content"')
  return new Response(text, response)
}

let gateway: TestGateway
let token: string

const message = (method: string, params: object, id?: number) => ({
  ...{ jsonrpc: '2.0', method, params },
  ...(id === undefined ? {} : { id }),
})
const echoed = (id?: number) => message('tools/call', { name: 'echo', arguments: {} }, id)
const batch = (messages: readonly object[]): RequestInit => ({
  ...legacy(token, 'ping', {}, { 'x-request-id': 'event-line-batch' }),
  body: JSON.stringify(messages),
})

beforeAll(async () => {
  gateway = createTestGateway({ seams: { fetcher } })
  token = await gateway.token()
  await registerShop(gateway, token)
})

afterEach(() => {
  fake.answersBy = 'json'
  isFailing = false
})

describe('the event line of a batch', () => {
  it('is one for a whole batch, with how many messages it held', async () => {
    const { status, lines } = await linesOf(
      gateway,
      '/shop/mcp',
      batch([echoed(1), echoed(2), echoed(3)]),
    )
    expect(status).toBe(200)
    expect(lines).toEqual([
      {
        time: expect.any(String),
        type: 'request',
        requestId: 'event-line-batch',
        httpMethod: 'POST',
        route: '/:server/mcp',
        status: 200,
        outcome: 'ok',
        durationMs: expect.any(Number),
        principal: expect.any(String),
        tenant: gateway.tenant,
        server: 'shop',
        era: 'legacy',
        method: 'batch',
        messages: 3,
      },
    ])
  })

  it.each<['json' | 'sse']>([['json'], ['sse']])(
    'says of a batch the worst that came of its messages, after the last (%s)',
    async (answersBy) => {
      fake.answersBy = answersBy
      const { text, lines } = await linesOf(gateway, '/gone/mcp', batch([echoed(1), echoed(2)]))
      expect(text.match(/^data: /gm)).toHaveLength(2)
      expect(lines).toMatchObject([{ server: 'gone', outcome: 'not_found', messages: 2 }])
      isFailing = true
      const failed = await linesOf(
        gateway,
        '/shop/mcp',
        batch([echoed(1), message('tools/list', {}, 3)]),
      )
      expect(failed.lines).toMatchObject([{ outcome: 'tool_error', messages: 2 }])
      isFailing = false
      const unclear = await linesOf(
        gateway,
        '/shop/mcp',
        batch([echoed(1), { ...echoed(2), jsonrpc: '1.0' }]),
      )
      expect(unclear.lines).toMatchObject([{ outcome: 'invalid_request', messages: 2 }])
    },
  )

  it('is written when the last answer has gone out, not before', async () => {
    gateway.events.length = 0
    const { response, settle } = await gateway.fetchWith('/shop/mcp', batch([echoed(1), echoed(2)]))
    expect(gateway.events.filter(({ type }) => type === 'request')).toEqual([])
    await response.text()
    await settle()
    expect(gateway.events.filter(({ type }) => type === 'request')).toHaveLength(1)
  })

  it('says of a batch without requests what was refused, as the answer does', async () => {
    const note = message('notifications/initialized', {})
    const { status, text, lines } = await linesOf(gateway, '/gone/mcp', batch([note, note]))
    expect(status).toBe(404)
    expect(JSON.parse(text)).toMatchObject({ id: null, error: { data: { code: 'not_found' } } })
    expect(lines).toMatchObject([{ status: 404, outcome: 'not_found', messages: 2 }])
    const well = await linesOf(gateway, '/shop/mcp', batch([note, note]))
    expect(well.lines).toMatchObject([{ status: 202, outcome: 'ok', messages: 2 }])
  })

  it('says of a batch that was refused as a whole why', async () => {
    const hellos = [message('initialize', hello(), 1), echoed(2)]
    const { status, lines } = await linesOf(gateway, '/shop/mcp', batch(hellos))
    expect(status).toBe(400)
    expect(lines).toMatchObject([{ server: 'shop', method: 'batch', outcome: 'invalid_request' }])
  })

  it('of a batch says that its client left', async () => {
    gateway.events.length = 0
    const { response, settle } = await gateway.fetchWith('/shop/mcp', batch([echoed(1), echoed(2)]))
    await response.body?.cancel()
    await settle()
    const lines = gateway.events.filter(({ type }) => type === 'request')
    expect(lines).toMatchObject([{ method: 'batch', outcome: 'cancelled', messages: 2 }])
  })
})
