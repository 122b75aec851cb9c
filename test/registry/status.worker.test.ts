import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { createGateway, VALID } from './gateway.ts'

describe('the status', () => {
  it('counts servers by health, and asks D1 again after 5 s alone', async () => {
    const { registry, ctx, state, send } = createGateway('registry-status')
    const before = await registry.status(ctx)
    expect(before).toMatchObject({
      status: 'ok',
      d1: 'ok',
      servers: { healthy: expect.any(Number) },
    })
    await send('admins', 'POST', '/servers', VALID)
    state.now += 4999
    expect(await registry.status(ctx)).toEqual(before)
    state.now += 1
    const after = await registry.status(ctx)
    expect(after.servers?.healthy).toBe((before.servers?.healthy ?? 0) + 1)
  })

  it('tells that D1 fails without saying how, and writes an event', async () => {
    const d1 = new Proxy(env.DB, {
      get: () => () => {
        throw new Error('D1_ERROR: the database is away')
      },
    })
    const { registry, ctx, events } = createGateway('registry-status-down', { d1 })
    expect(await registry.status(ctx)).toEqual({ status: 'failing', d1: 'failing' })
    expect(events).toMatchObject([{ type: 'fault', where: 'registry.status' }])
  })
})
