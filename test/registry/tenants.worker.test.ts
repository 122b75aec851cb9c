import { describe, expect, it } from 'vitest'
import { createGateway, DISCOVERY, type TestGateway, VALID } from './gateway.ts'

const PATHS = ['a', 'b', 'c', 'd']
const TENANTS = ['registry-wall-1', 'registry-wall-2', 'registry-wall-3']

/** Numbers below `bound`, the same in every run (mulberry32). */
function sequence(seed: number) {
  let state = seed
  return (bound: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}

/** Everything that stands for a tenant says so: names, addresses, tools. */
const markOf = (gateway: TestGateway) => `mark-of-${gateway.tenant}`

function writesOf(gateway: TestGateway, path: string, other: string) {
  const mark = markOf(gateway)
  const named = { path, name: mark }
  const tools = [{ server: other, name: mark }]
  return [
    ['POST', '/servers', { ...named, endpoints: [{ url: `https://${mark}.example/` }] }],
    ['POST', '/virtual-servers', { ...named, tools }],
    ['PATCH', `/servers/${path}`, { description: mark }],
    ['PATCH', `/virtual-servers/${path}`, { tools, description: mark }],
    ['POST', `/virtual-servers/${path}/repin`, {}],
    ['POST', `/servers/${path}/refresh`, undefined],
    ['POST', `/servers/${path}/toggle`, { enabled: true }],
    ['DELETE', `/servers/${path}`, undefined],
    ['DELETE', `/virtual-servers/${path}`, undefined],
  ] as const
}

/** Everything that the registry shows of a tenant, as text. */
async function everythingOf(gateway: TestGateway): Promise<string> {
  const shown: unknown[] = []
  const lists = ['/servers', '/virtual-servers', '/services']
  const things = PATHS.flatMap((path) => [
    ...lists.map((list) => `${list}/${path}`),
    ...[`/servers/${path}/tools`, `/servers/${path}/health`, `/services/${path}/health`],
  ])
  for (const at of [...lists, ...things]) {
    shown.push((await gateway.send('admins', 'GET', at)).body)
  }
  gateway.registry.snapshots.drop(gateway.tenant)
  const snapshot = await gateway.registry.snapshots.tenant(gateway.ctx, gateway.tenant)
  const index = await snapshot.index(gateway.ctx)
  const { catalog } = gateway.registry
  const { heads } = await catalog.part(gateway.ctx, gateway.tenant, index, 'tool')
  const items = await catalog.definitions(gateway.ctx, gateway.tenant, 'tool', heads)
  shown.push(index, [...items])
  for (const path of PATHS) {
    const found = await snapshot.endpoint(gateway.ctx, path)
    shown.push(found, found?.kind === 'server' ? [...found.server.tools] : undefined)
  }
  return JSON.stringify(shown)
}

describe('whatever tenants write, under the same paths and at once', () => {
  it.each([1, 2, 3])('none ever sees a row of another (%i)', async (seed) => {
    const next = sequence(seed)
    const gateways = TENANTS.map((tenant) => {
      const gateway = createGateway(`${tenant}-${seed}`)
      gateway.state.discover = () => ({ ...DISCOVERY, tools: [{ name: markOf(gateway) }] })
      return gateway
    })
    const pick = <T>(list: readonly T[]): T => list[next(list.length)] as T
    for (const gateway of gateways) {
      const [server] = writesOf(gateway, 'a', 'a')
      const [, virtual] = writesOf(gateway, 'd', 'a')
      for (const [method, path, body] of [server, virtual]) {
        expect((await gateway.send('admins', method, path, body)).status).toBe(201)
      }
      expect(await everythingOf(gateway)).toContain(markOf(gateway))
    }
    for (let round = 0; round < 8; round += 1) {
      const writes = gateways.flatMap((gateway) =>
        Array.from({ length: 3 }, () => {
          const [method, path, body] = pick(writesOf(gateway, pick(PATHS), pick(PATHS)))
          return gateway.send('admins', method, path, body)
        }),
      )
      for (const { status, body } of await Promise.all(writes)) {
        expect([200, 201, 204, 400, 404, 409], JSON.stringify(body)).toContain(status)
      }
      for (const gateway of gateways) {
        const everything = await everythingOf(gateway)
        for (const other of gateways) {
          if (other !== gateway) expect(everything).not.toContain(markOf(other))
        }
      }
    }
  })

  it('an id of another tenant opens nothing of it', async () => {
    const [own, other] = [createGateway('registry-wall-a'), createGateway('registry-wall-b')]
    await own.send('admins', 'POST', '/servers', VALID)
    const snapshot = await own.registry.snapshots.tenant(own.ctx, own.tenant)
    const index = await snapshot.index(own.ctx)
    expect(index).toHaveLength(1)
    const { heads } = await own.registry.catalog.part(own.ctx, own.tenant, index, 'tool')
    expect(heads).not.toEqual([])
    const { catalog } = other.registry
    expect((await catalog.part(other.ctx, other.tenant, index, 'tool')).heads).toEqual([])
    expect((await catalog.definitions(other.ctx, other.tenant, 'tool', heads)).size).toBe(0)
  })
})
