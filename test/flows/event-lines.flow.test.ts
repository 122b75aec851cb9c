import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CANARY, type CanaryShop, canaryShop, type ShopMood } from '../support/canary-shop.ts'
import { hello, legacy, modern, NOTIFICATION, rest } from '../support/gateway.ts'
import { linesOf } from '../support/request-lines.ts'

let shop: CanaryShop

beforeAll(async () => {
  shop = await canaryShop()
})

beforeEach(() => {
  shop.mood = 'well'
})

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
const PRINCIPAL = expect.stringMatching(/^http:\/\/gatehouse\.test#[0-9a-f]{16}$/)

describe('an event line', () => {
  it('says of a modern call who, where, what and how it went, and nothing else', async () => {
    const { text, lines } = await linesOf(
      shop.gateway,
      '/shop/mcp',
      shop.call({ 'x-request-id': 'event-line-1' }),
    )
    expect(text).toContain(CANARY.result)
    expect(lines).toEqual([
      {
        time: TIME,
        type: 'request',
        requestId: 'event-line-1',
        httpMethod: 'POST',
        route: '/:server/mcp',
        status: 200,
        outcome: 'ok',
        durationMs: expect.any(Number),
        principal: PRINCIPAL,
        tenant: shop.gateway.tenant,
        server: 'shop',
        endpoint: expect.stringMatching(/^[0-9a-f-]{36}$/),
        era: 'modern',
        method: 'tools/call',
        tool: 'echo',
        upstreamMs: expect.any(Number),
        attempts: 1,
      },
    ])
  })

  it('says the same of a legacy call', async () => {
    const init = legacy(shop.token, 'tools/call', {
      name: 'echo',
      arguments: { a: CANARY.argument },
    })
    const { lines } = await linesOf(shop.gateway, '/shop/mcp', init)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ era: 'legacy', tool: 'echo', outcome: 'ok', attempts: 1 })
  })

  it('is written for a management request by its route, not by its path', async () => {
    const { lines } = await linesOf(shop.gateway, `/api/v1/servers/shop`, rest(shop.token, 'GET'))
    expect(lines).toEqual([
      {
        time: TIME,
        type: 'request',
        requestId: expect.any(String),
        httpMethod: 'GET',
        route: '/api/v1/servers/:path',
        status: 200,
        outcome: 'ok',
        durationMs: expect.any(Number),
        principal: PRINCIPAL,
        tenant: shop.gateway.tenant,
      },
    ])
  })

  it.each<[ShopMood, object]>([
    ['tool error', { status: 200, outcome: 'tool_error' }],
    ['rpc error', { status: 200, outcome: 'rpc_error' }],
    ['http error', { status: 200, outcome: 'upstream_failed' }],
    ['redirect', { status: 200, outcome: 'upstream_failed' }],
    ['broken', { status: 200, outcome: 'upstream_failed' }],
  ])('tells a %s from success', async (now, expected) => {
    shop.mood = now
    const { lines } = await linesOf(shop.gateway, '/shop/mcp', shop.call())
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ server: 'shop', tool: 'echo', ...expected })
  })

  it.each<[string, string, () => RequestInit | undefined, object]>([
    [
      'no token',
      '/shop/mcp',
      () => ({ method: 'POST' }),
      { status: 401, outcome: 'unauthenticated' },
    ],
    [
      'a bad token',
      '/api/v1/me',
      () => rest('x.y.z', 'GET'),
      { status: 401, outcome: 'unauthenticated' },
    ],
    ['no such path', '/x/y/z', () => undefined, { status: 404, outcome: 'not_found' }],
    [
      'no such server',
      '/gone/mcp',
      () => shop.call(),
      { status: 404, outcome: 'not_found', server: 'gone' },
    ],
    [
      'a foreign origin',
      '/shop/mcp',
      () => shop.call({ origin: 'https://evil.example' }),
      { status: 403, outcome: 'origin_forbidden' },
    ],
    [
      'a foreign host',
      '/shop/mcp',
      () => shop.call({ host: 'evil.example' }),
      { status: 403, outcome: 'host_forbidden' },
    ],
    ['a preflight', '/shop/mcp', () => ({ method: 'OPTIONS' }), { status: 204, outcome: 'ok' }],
    [
      'a lying header',
      '/shop/mcp',
      () => shop.call({ 'mcp-name': 'other' }),
      { status: 400, outcome: 'header_mismatch' },
    ],
    [
      'no JSON',
      '/shop/mcp',
      () => ({ ...shop.call(), body: CANARY.argument }),
      { status: 400, outcome: 'parse_error' },
    ],
    [
      'a notification',
      '/shop/mcp',
      () => legacy(shop.token, 'notifications/initialized', {}, {}, NOTIFICATION),
      { status: 202, outcome: 'ok' },
    ],
    [
      'a legacy hello',
      '/shop/mcp',
      () => legacy(shop.token, 'initialize', hello()),
      { status: 200, outcome: 'ok', method: 'initialize' },
    ],
    [
      'a GET',
      '/shop/mcp',
      () => rest(shop.token, 'GET'),
      { status: 405, outcome: 'method_not_allowed' },
    ],
    [
      'an unknown query',
      `/api/v1/me?q=${CANARY.query}`,
      () => rest(shop.token, 'GET'),
      { status: 400, outcome: 'invalid_params' },
    ],
    ['health', '/health', () => undefined, { status: 200, outcome: 'ok', route: '/health' }],
    ['the OpenAPI document', '/openapi.json', () => undefined, { status: 200, outcome: 'ok' }],
  ])('is written once for %s', async (_what, path, init, expected) => {
    const { status, lines } = await linesOf(shop.gateway, path, init())
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ durationMs: expect.any(Number), ...expected })
    expect(lines[0]?.['status']).toBe(status)
  })

  it('is written when a stream has ended, not when it began', async () => {
    shop.listsBy('sse')
    shop.gateway.events.length = 0
    const response = await shop.gateway.fetch('/shop/mcp', modern(shop.token, 'tools/list'))
    expect(shop.gateway.events.filter(({ type }) => type === 'request')).toEqual([])
    await response.text()
    expect(shop.gateway.events.filter(({ type }) => type === 'request')).toHaveLength(1)
    shop.listsBy('json')
  })

  it('cannot be forged or flooded by what a caller may choose', async () => {
    const long = 'x'.repeat(10_000)
    const forged = '\n{"type":"request","requestId":"forged"}'
    for (const init of [
      modern(shop.token, 'tools/call', { name: long }, { 'x-request-id': long }),
      modern(shop.token, 'tools/call', { name: 'a' }, { 'x-request-id': '{"a":1}' }),
      legacy(shop.token, 'tools/call', { name: forged }),
      legacy(shop.token, long),
    ]) {
      const { lines } = await linesOf(shop.gateway, '/shop/mcp', init)
      expect(lines).toHaveLength(1)
      expect(JSON.stringify(lines[0]).length).toBeLessThan(2_000)
      expect(lines[0]?.['requestId']).toMatch(/^[0-9a-f-]{36}$/)
    }
  })
})
