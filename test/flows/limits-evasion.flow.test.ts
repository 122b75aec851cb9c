import { describe, expect, it } from 'vitest'
import { hello, legacy, modern, rest } from '../support/gateway.ts'
import { echo, limitedTenant, statusOf } from '../support/limited-tenant.ts'

const count = (statuses: readonly number[], status: number) =>
  statuses.filter((one) => one === status).length

describe('a limit that somebody tries to get round (ATTACKS.md 22)', () => {
  it('holds for bursts at 20 isolates at once: never more than the limit', async () => {
    const { all, token } = await limitedTenant(20, { LIMIT_PRINCIPAL_PER_MINUTE: '60' })
    const caller = await token()
    const statuses = await Promise.all(
      all.flatMap((gateway) =>
        Array.from({ length: 10 }, () => statusOf(gateway, '/modern/mcp', echo(caller))),
      ),
    )
    expect(count(statuses, 200)).toBeLessThanOrEqual(60)
    expect(count(statuses, 200)).toBeGreaterThan(20)
    expect(count(statuses, 200) + count(statuses, 429)).toBe(200)
  })

  it('holds whatever token, header case and way in: all ways together have one limit', async () => {
    const limit = 40
    const { gateway, all, token } = await limitedTenant(2, {
      LIMIT_PRINCIPAL_PER_MINUTE: String(limit),
    })
    const [, other] = all
    if (other === undefined) throw new Error('two isolates')
    const ways: ((fresh: string) => [string, RequestInit])[] = [
      (fresh) => ['/modern/mcp', echo(fresh)],
      (fresh) => ['/mcp', echo(fresh, 'modern__echo')],
      (fresh) => ['/desk/mcp', echo(fresh, 'say')],
      (fresh) => ['/scripted/mcp', legacy(fresh, 'initialize', hello())],
      (fresh) => ['/api/v1/me', { headers: { AUTHORIZATION: `bearer ${fresh}` } }],
      (fresh) => ['/mcp/tools', { headers: { 'X-Authorization': `Bearer ${fresh}` } }],
      (fresh) => [
        '/modern/mcp',
        echo(fresh, 'echo', { 'X-Forwarded-For': '1.2.3.4', 'x-tenant': 'b' }),
      ],
      (fresh) => ['/nothing/mcp', echo(fresh)],
      (fresh) => ['/mcpgw/mcp', modern(fresh, 'tools/list')],
      (fresh) => ['/api/v1/mcp/servers/connect', rest(fresh, 'POST', { server_name: 'nothing' })],
      (fresh) => ['/modern/sse', { headers: { authorization: `Bearer ${fresh}` } }],
    ]
    let served = 0
    let refused = 0
    for (let round = 0; round < 6; round += 1) {
      for (const [index, way] of ways.entries()) {
        // Another token each time, of the same subject.
        const [path, init] = way(await token())
        const at = index % 2 === 0 ? gateway : other
        const { response } = await at.fetchWith(path, init)
        await response.body?.cancel()
        if (response.status === 429) {
          refused += 1
          expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
        } else served += 1
      }
    }
    expect(served).toBeLessThanOrEqual(limit)
    expect(served).toBeGreaterThan(limit / 2)
    expect(served + refused).toBe(6 * ways.length)
    // Another principal of the tenant has his own.
    expect(await statusOf(gateway, '/modern/mcp', echo(await token('another')))).toBe(200)
  })

  it('holds for a server and its tool by every way to it, and for nothing else', async () => {
    const { gateway, token, limit, root } = await limitedTenant(1)
    await limit({ per: ['server', 'tool'], match: { servers: ['modern'] }, limit: 9 })
    const caller = await token()
    const proxied = {
      server: 'modern',
      method: 'tools/call',
      params: { name: 'echo', arguments: { message: 'hi' } },
    }
    const ways: [string, RequestInit][] = [
      ['/modern/mcp', echo(caller)],
      ['/mcp', echo(caller, 'modern__echo')],
      ['/desk/mcp', echo(caller, 'say')],
      ['/mcpgw/mcp', modern(root, 'tools/call', { name: 'proxy_request', arguments: proxied })],
    ]
    const refusals: string[] = []
    // So often that the one who asks once a round wants more than his half as well.
    const rounds = 8
    for (let round = 0; round < rounds; round += 1) {
      for (const [path, init] of ways) {
        const response = await gateway.fetch(path, init)
        const text = await response.text()
        if (response.status === 429 || text.includes('rate_limited')) refusals.push(path)
      }
    }
    // Two share the rule's counter: it keeps what a third one would need (docs/decisions/0013).
    const calls = rounds * ways.length
    expect(refusals.length).toBeGreaterThanOrEqual(calls - 9)
    expect(refusals.length).toBeLessThanOrEqual(calls - 5)
    expect(new Set(refusals)).toEqual(new Set(ways.map(([path]) => path)))
    expect(await statusOf(gateway, '/twin/mcp', echo(caller))).toBe(200)
    expect(await statusOf(gateway, '/modern/mcp', modern(caller, 'tools/list'))).toBe(200)
  })

  it('is not free to guess at: unknown names cost permits, and none of the rules about servers', async () => {
    const { gateway, token, limit } = await limitedTenant(1, { LIMIT_PRINCIPAL_PER_MINUTE: '20' })
    await limit({ per: ['principal', 'server'], limit: 3 })
    const caller = await token()
    const guesses = []
    for (let n = 0; n < 17; n += 1) {
      guesses.push(await statusOf(gateway, `/guess-${n}/mcp`, echo(caller)))
    }
    expect(count(guesses, 404)).toBe(17)
    const calls = []
    for (let n = 0; n < 5; n += 1) calls.push(await statusOf(gateway, '/modern/mcp', echo(caller)))
    expect(calls).toEqual([200, 200, 200, 429, 429])
  })

  it('has one counter for tools that are not there, so that invented names make no new ones', async () => {
    const { gateway, token, limit } = await limitedTenant(1)
    await limit({ per: ['principal', 'tool'], limit: 3 })
    const caller = await token()
    const statuses = []
    for (let n = 0; n < 6; n += 1) {
      statuses.push(await statusOf(gateway, '/modern/mcp', echo(caller, `invented-${n}`)))
    }
    expect(count(statuses, 429)).toBe(3)
    expect(await statusOf(gateway, '/modern/mcp', echo(caller))).toBe(200)
  })
})
