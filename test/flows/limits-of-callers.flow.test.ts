import { beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { stoppedClock } from '../support/stopped-clock.ts'

const echo = (token: string) =>
  modern(token, 'tools/call', { name: 'echo', arguments: { message: 'hi' } }, {}, 'mine')

describe('the rate limit', () => {
  const room = scriptedRoom('limits')

  /** Two tenants under the same limit, each with a server. */
  async function neighbours(vars: Record<string, string>) {
    const clock = stoppedClock()
    const gateway = createTestGateway({ vars, seams: { clock } })
    const neighbour = createTestGateway({ vars, seams: { clock } })
    const [admin, next] = [await gateway.token(), await neighbour.token()]
    await room.register(gateway, admin)
    await room.register(neighbour, next)
    return { gateway, neighbour, admin, next }
  }

  it('answers 429 with Retry-After, to this principal alone', async () => {
    const { gateway, neighbour, admin, next } = await neighbours({
      LIMIT_PRINCIPAL_PER_MINUTE: '5',
    })
    const policy = { group_mappings: { people: ['user'] } }
    const stored = await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', policy))
    expect(stored.status).toBe(200)
    const token = await gateway.token({ subject: 'ann', groups: ['people'] })
    for (let index = 0; index < 5; index += 1) {
      const response = await gateway.fetch('/scripted/mcp', echo(token))
      expect(response.status).toBe(200)
      await response.text()
    }
    gateway.work.fetches = 0
    const limited = await gateway.fetch('/scripted/mcp', echo(token))
    expect(limited.status).toBe(429)
    expect(limited.headers.get('content-type')).toBe('application/json')
    const seconds = Number(limited.headers.get('retry-after'))
    expect(seconds).toBeGreaterThanOrEqual(1)
    // At most the rest of this window, and the part of the next that frees one of five permits.
    expect(seconds).toBeLessThanOrEqual(60 + 60 / 5)
    expect(await limited.json()).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: {
        code: -31011,
        message: `The limit of this principal is used up; try again in ${seconds} s.`,
        data: {
          code: 'rate_limited',
          fix: `Try again in ${seconds} s.`,
          requestId: limited.headers.get('x-request-id'),
          scope: 'principal',
          retryAfterSeconds: seconds,
        },
      },
    })
    expect(gateway.work.fetches).toBe(0)

    const management = await gateway.fetch('/api/v1/me', rest(token, 'GET'))
    expect(management.status).toBe(429)
    expect(management.headers.get('content-type')).toBe('application/problem+json')
    expect(management.headers.get('retry-after')).toBe(String(seconds))
    expect(await management.json()).toMatchObject({ code: 'rate_limited', status: 429 })

    const other = await gateway.token({ subject: 'bob', groups: ['people'] })
    for (const [on, as] of [
      [gateway, other],
      [neighbour, next],
    ] as const) {
      const response = await on.fetch('/scripted/mcp', echo(as))
      expect(response.status).toBe(200)
      await response.text()
    }
  })

  it('of a tenant stops its other principals, and no other tenant', async () => {
    const { gateway, neighbour, admin, next } = await neighbours({ LIMIT_TENANT_PER_MINUTE: '6' })
    for (let index = 0; index < 5; index += 1) {
      await (await gateway.fetch('/scripted/mcp', echo(admin))).text()
    }
    const limited = await gateway.fetch('/scripted/mcp', echo(admin))
    expect(limited.status).toBe(429)
    expect(await limited.json()).toMatchObject({ error: { data: { scope: 'tenant' } } })
    const served = await neighbour.fetch('/scripted/mcp', echo(next))
    expect(served.status).toBe(200)
    await served.text()
  })
})

describe('addresses', () => {
  const vars = { CLIENT_ADDRESS_HEADER: 'CF-Connecting-IP', LIMIT_ADDRESS_PER_MINUTE: '5' }
  const from = (address: string) => ({ headers: { 'cf-connecting-ip': address } })
  let gateway: TestGateway
  beforeAll(() => {
    gateway = createTestGateway({ vars })
  })

  it('that flood get 429 before their token is looked at, and leave no line in the log', async () => {
    for (let n = 0; n < 5; n += 1) {
      expect(
        (await gateway.fetch('/modern/mcp', { ...from('192.0.2.1'), method: 'POST' })).status,
      ).toBe(401)
    }
    const lines = gateway.events.length
    Object.assign(gateway.work, { fetches: 0, d1: 0, objects: 0 })
    const init = {
      method: 'POST',
      headers: { ...from('192.0.2.1').headers, authorization: 'Bearer x' },
    }
    for (let n = 0; n < 50; n += 1) {
      const refused = await gateway.fetch('/modern/mcp', init)
      expect(refused.status).toBe(429)
      expect(refused.headers.get('retry-after')).toBe('10')
      expect(await refused.json()).toMatchObject({ code: 'rate_limited', status: 429 })
    }
    expect(gateway.work).toEqual({ fetches: 0, d1: 0, objects: 0, told: 0 })
    expect(gateway.events.slice(lines)).toMatchObject([{ type: 'address_limited', refused: 1 }])
    expect((await gateway.fetch('/health', from('192.0.2.2'))).status).not.toBe(429)
  })

  it('are not believed where no header is configured', async () => {
    const open = createTestGateway({ vars: { LIMIT_ADDRESS_PER_MINUTE: '5' } })
    for (let n = 0; n < 20; n += 1) {
      expect(
        (await open.fetch('/modern/mcp', { ...from('192.0.2.1'), method: 'POST' })).status,
      ).toBe(401)
    }
  })
})
