import { beforeAll, expect, it } from 'vitest'
import { CANARY, type CanaryShop, canaryShop } from '../support/canary-shop.ts'
import { hello, legacy, modern, rest } from '../support/gateway.ts'
import { linesOf } from '../support/request-lines.ts'

let shop: CanaryShop

beforeAll(async () => {
  shop = await canaryShop()
})

it('no line of any kind holds a token, an argument, a result or a header (ATTACKS 25)', async () => {
  const written: Record<string, unknown>[] = []
  const signature = shop.token.split('.')[2] ?? ''
  const stale = await shop.gateway.token({ subject: CANARY.subject, ttlSeconds: -60 })
  const send = async (path: string, init?: RequestInit): Promise<void> => {
    await linesOf(shop.gateway, path, init)
    written.push(...shop.gateway.events)
  }
  const change = (body: object) => rest(shop.token, 'PATCH', body)
  for (const now of [
    'well',
    'tool error',
    'rpc error',
    'http error',
    'redirect',
    'broken',
  ] as const) {
    shop.mood = now
    await send('/shop/mcp', shop.call())
    await send('/shop/mcp', shop.call({ 'x-authorization': `Bearer ${shop.token}` }))
    await send('/shop/mcp', legacy(shop.token, 'tools/call', { name: 'echo', arguments: CANARY }))
    await send(
      '/shop/mcp',
      legacy(shop.token, 'initialize', { ...hello(), extra: CANARY.argument }),
    )
    await send('/shop/mcp', modern(shop.token, 'prompts/get', { name: 'p', arguments: CANARY }))
    await send('/shop/mcp', modern(shop.token, 'resources/read', { uri: `x://${CANARY.argument}` }))
    await send('/api/v1/servers/shop/refresh', rest(shop.token, 'POST'))
    await send('/api/v1/servers/shop', change({ headers: { 'x-api-key': CANARY.custom } }))
    await send(
      '/api/v1/servers',
      rest(shop.token, 'POST', {
        path: 'other',
        name: 'Other',
        headers: { 'x-api-key': CANARY.custom },
        endpoints: [{ url: `https://${CANARY.fault}/${CANARY.query}` }],
      }),
    )
  }
  shop.mood = 'well'
  await send(`/shop/mcp?token=${CANARY.query}`, {
    ...shop.call(),
    body: `{"a":"${CANARY.argument}`,
  })
  await send('/shop/mcp', {
    ...shop.call(),
    body: `{"${CANARY.argument}":1,"${CANARY.argument}":2}`,
  })
  await send('/shop/mcp', shop.call({ authorization: `Bearer ${stale}` }))
  await send('/shop/mcp', shop.call({ authorization: `Basic ${CANARY.caller}` }))
  await send(
    '/shop/mcp',
    shop.call({ 'mcp-name': CANARY.argument, 'mcp-param-x': CANARY.argument }),
  )
  await send('/shop/mcp', shop.call({ 'mcp-session-id': CANARY.caller }))
  await send(`/${CANARY.query}?${CANARY.query}=${CANARY.query}`)
  await send(`/api/v1/servers/shop?${CANARY.query}=1`, rest(shop.token, 'GET'))
  await send(`/api/v1/servers?text=${CANARY.query}`, rest(shop.token, 'GET'))
  await send(`/api/v1/servers?cursor=${CANARY.query}`, rest(shop.token, 'GET'))
  await send('/api/v1/servers/shop', change({ [CANARY.argument]: CANARY.argument }))

  expect(written.length).toBeGreaterThan(60)
  for (const event of written) {
    const line = JSON.stringify(event)
    expect(line).not.toContain(signature)
    expect(line).not.toContain(stale)
    expect(line).not.toMatch(/canary/i)
    expect(line).not.toContain('eyJ')
  }
})
