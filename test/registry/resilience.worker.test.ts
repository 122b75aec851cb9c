import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { freshGateway, type TestGateway, VALID } from './gateway.ts'

const BAD = { hashBy: 'session', breaker: { openMs: 5_000, maxOpenMs: 1_000 } }
const GOOD = { balancer: 'consistent-hash', hashBy: 'session' }

describe('settings that contradict each other', () => {
  let gateway: TestGateway

  beforeEach(() => {
    gateway = freshGateway('registry-resilience')
  })

  const stored = async () => (await gateway.send('admins', 'GET', '/servers/clock')).body

  it.each<[string, string, object]>([
    ['POST', '/servers', { ...VALID, path: 'other', resilience: BAD }],
    ['PUT', '/servers/clock', { ...VALID, resilience: BAD }],
    ['PATCH', '/servers/clock', { resilience: BAD }],
  ])('are refused by %s %s, each by its name, and nothing is changed', async (method, to, body) => {
    await gateway.register({ resilience: GOOD })
    gateway.asked.length = 0
    expect(await gateway.send('admins', method, to, body)).toMatchObject({
      status: 400,
      body: {
        code: 'invalid_params',
        detail: 'resilience.hashBy: needs the balancer "consistent-hash" (and 1 more).',
        problems: [
          { path: 'resilience.hashBy' },
          { path: 'resilience.breaker.maxOpenMs', message: expect.stringContaining('5000 ms') },
        ],
      },
    })
    expect(gateway.asked).toEqual([])
    expect(await stored()).toMatchObject({ resilience: GOOD })
    expect((await gateway.send('admins', 'GET', '/servers/other')).status).toBe(404)
  })

  it('are read as they are where they were stored before, and mended by who changes them', async () => {
    await gateway.register({ resilience: GOOD })
    await env.DB.prepare('update servers set resilience = ? where tenant = ?')
      .bind(JSON.stringify(BAD), gateway.tenant)
      .run()
    expect(await stored()).toMatchObject({ resilience: BAD })
    const other = await gateway.send('admins', 'PATCH', '/servers/clock', { description: 'new' })
    expect(other).toMatchObject({ status: 200, body: { resilience: BAD } })
    const mended = await gateway.send('admins', 'PATCH', '/servers/clock', { resilience: GOOD })
    expect(mended).toMatchObject({ status: 200, body: { resilience: GOOD } })
  })
})
