import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  countWaiting,
  type Fetcher,
  systemClock,
  systemRandom,
  type TenantId,
} from '../../src/core/index.ts'
import { createDeps } from '../../src/deps.ts'
import { parseConfig } from '../../src/env.ts'
import { jobContext } from '../../src/jobs/index.ts'
import { createCatalogObject } from '../../src/mcp/catalog/catalog-object.ts'
import type { CatalogStub } from '../../src/mcp/index.ts'
import { createFleet, type FleetMember } from '../support/fleet.ts'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const TOOLS_EACH = 20
const UNAVAILABLE = 'dev.gatehouse/unavailable'
const NOBODY = 'refuses'

const fleet = createFleet(
  [
    ...['dual-a', 'dual-b', 'dual-c', 'dual-d'].map((name) => ({ name, era: 'dual' as const })),
    ...['legacy-a', 'legacy-b'].map((name) => ({ name, era: 'legacy' as const })),
    ...['modern-a', 'modern-b', 'modern-c'].map((name) => ({ name, era: 'modern' as const })),
    { name: 'hangs', era: 'dual' },
    { name: NOBODY, era: 'dual' },
  ],
  TOOLS_EACH,
)
const member = (name: string): FleetMember[] => fleet.members.filter((one) => one.name === name)
const fetcher: Fetcher = (request) =>
  fleet.answer(new URL(request.url).hostname.split('.')[0] ?? '', request)

/** Moved ahead by a test. */
let aheadMs = 0
const clock = { now: () => systemClock.now() + aheadMs }

/** Every call of an object, in the order of their ends. */
const objectCalls: { readonly name: string; readonly mostWaiting: number }[] = []
const objectEvents: Record<string, unknown>[] = []
const objects = new Map<string, { catalog: CatalogStub; mostWaiting: () => number }>()

/** The object of src/index.ts with a fetcher of its own, which throws above six. */
function catalogObject(name: string): CatalogStub {
  return {
    refresh: (target) =>
      runInDurableObject(env.CATALOGS.getByName(name), async (_instance, state) => {
        const object = objects.get(name) ?? createObject(state)
        objects.set(name, object)
        const outcome = await object.catalog.refresh(target)
        objectCalls.push({ name, mostWaiting: object.mostWaiting() })
        return outcome
      }),
  }
}

function createObject(state: DurableObjectState) {
  const counted = countWaiting(fetcher)
  const deps = wiringWith(counted)
  const CatalogObject = createCatalogObject({
    clock,
    events: deps.events,
    context: (waitUntil) => jobContext({ clock, random: systemRandom }, waitUntil),
    wiring: () => deps.slice,
  })
  return { catalog: new CatalogObject(state, env), mostWaiting: counted.most }
}

function wiringWith(counted: Fetcher) {
  const config = parseConfig({
    PUBLIC_URL: 'https://gateway.example',
    GATEHOUSE_SECRET: 'flows-flows-flows-flows-flows-flows-flows-flows',
  })
  if (config.kind === 'problems') throw new Error(JSON.stringify(config.problems))
  const seams = {
    fetcher: counted,
    clock,
    writeLine: (line: string) => objectEvents.push(JSON.parse(line)),
  }
  return createDeps(env as unknown as Parameters<typeof createDeps>[0], config.config, seams)
}

const inRequests = countWaiting(fetcher)
const isolateOf = (tenant?: TenantId) =>
  createTestGateway({
    seams: { fetcher: inRequests, clock },
    bindings: { CATALOGS: { getByName: catalogObject } },
    ...(tenant === undefined ? {} : { tenant }),
  })

let gateway: TestGateway
let token: string

interface Listed {
  readonly names: readonly string[]
  readonly unavailable: unknown
}

async function list(on: TestGateway, init: RequestInit): Promise<Listed> {
  const { response } = await on.fetchWith('/mcp', init)
  const { result } = await response.json<{
    result: { tools: { name: string }[]; _meta?: Record<string, unknown> }
  }>()
  const names = result.tools.map(({ name }) => name).filter((name) => name.includes('__'))
  return { names, unavailable: result._meta?.[UNAVAILABLE] }
}

const toolsOf = (members: readonly FleetMember[]) =>
  members.flatMap(({ name, tools }) => tools.map((tool) => `${name}__${tool}`))
const isUp = ({ mood }: FleetMember) => mood === 'up'

/** While none of them answers, so that nothing is known of them. */
async function registerAll(on: TestGateway, admin: string): Promise<void> {
  fleet.setMood(fleet.members, 'starting')
  for (const { name } of fleet.members) {
    const input = {
      path: name,
      name,
      endpoints: [{ url: `https://${name}.fleet.example/mcp` }],
      // The era probe and the legacy handshake each wait for one that hangs.
      timeoutMs: 1_000,
    }
    const path = '/api/v1/servers?allowUnreachable=true'
    const response = await on.fetch(path, rest(admin, 'POST', input))
    if (response.status !== 201) throw new Error(await response.text())
  }
  fleet.setMood(fleet.members, 'up')
  fleet.setMood(member('hangs'), 'hanging')
  fleet.setMood(member(NOBODY), 'refusing')
}

beforeAll(async () => {
  gateway = isolateOf()
  token = await gateway.token()
  await registerAll(gateway, token)
})

beforeEach(() => {
  gateway.work.fetches = 0
  gateway.work.d1 = 0
  gateway.work.objects = 0
})

describe('a fleet of both eras with a hanging and a refusing server', () => {
  // req: dead-upstream-alone
  // req: failure-reported
  // req: list-every-page
  it('is listed at first contact, and no invocation has more than six fetches waiting', async () => {
    const { names, unavailable } = await list(gateway, modern(token, 'tools/list'))
    expect(names).toEqual(toolsOf(fleet.members.filter(isUp)))
    expect(unavailable).toEqual([
      { server: 'hangs', reason: 'not_reached' },
      { server: NOBODY, reason: 'not_reached' },
    ])
    // Each in an invocation of its own, none in the request's.
    expect(objectCalls).toHaveLength(fleet.members.length)
    const most = objectCalls.map(({ mostWaiting }) => mostWaiting)
    expect(Math.max(...most)).toBeLessThanOrEqual(6)
    expect(inRequests.most()).toBeLessThanOrEqual(6)
    expect(gateway.work.fetches).toBe(0)
    expect(objectEvents.filter(({ type }) => type === 'fault')).toEqual([])
    const failed = objectEvents.filter(({ type }) => type === 'catalog_refresh_failed')
    expect(failed.map(({ server }) => server).sort()).toEqual(['hangs', NOBODY])
  })

  it('is listed again without a fetch, an object call or a look at D1', async () => {
    fleet.reset()
    const { names } = await list(gateway, modern(token, 'tools/list'))
    expect(names).toEqual(toolsOf(fleet.members.filter(isUp)))
    expect(fleet.members.map(({ fetches }) => fetches)).toEqual(fleet.members.map(() => 0))
    expect(gateway.work).toMatchObject({ fetches: 0, d1: 0, objects: 0 })
  })

  it('is listed by another isolate from what is stored; only the broken ones are asked for', async () => {
    const other = isolateOf(gateway.tenant)
    objectCalls.length = 0
    fleet.reset()
    const { names } = await list(other, modern(token, 'tools/list'))
    expect(names).toEqual(toolsOf(fleet.members.filter(isUp)))
    // Their objects remember the failure.
    expect(objectCalls).toHaveLength(2)
    expect(fleet.members.map(({ fetches }) => fetches)).toEqual(fleet.members.map(() => 0))
  })

  it('costs a call one fetch', async () => {
    const call = modern(token, 'tools/call', { name: 'modern-a__tool-1', arguments: {} })
    const response = await gateway.fetch('/mcp', call)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      result: { content: [{ text: 'modern-a ran tool-1' }] },
    })
    expect(gateway.work.fetches).toBe(1)
    expect(inRequests.most()).toBe(1)
  })

  it('is listed for a legacy client, and each of them is called in its own era', async () => {
    const opened = await gateway.fetch('/mcp', legacy(token, 'initialize', hello()))
    const session = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const listed = () => list(gateway, legacy(token, 'tools/list', {}, session))
    // Nobody asked the modern ones for the legacy handshake yet; the first call of each does.
    expect((await listed()).names).toEqual(toolsOf(fleet.members.filter(isUp)))
    for (const { name } of fleet.members.filter((one) => isUp(one) && one.era === 'modern')) {
      const called = { name: `${name}__tool-0`, arguments: {} }
      const answer = await gateway.fetch('/mcp', legacy(token, 'tools/call', called, session))
      expect(await answer.text()).toContain(`${name} ran tool-0`)
    }
    const { names, unavailable } = await listed()
    expect(names).toEqual(toolsOf(fleet.members.filter(isUp)))
    expect(unavailable).toEqual([
      { server: 'hangs', reason: 'not_reached' },
      { server: NOBODY, reason: 'not_reached' },
    ])
    expect(inRequests.most()).toBeLessThanOrEqual(6)
  })
})

describe('several requests at first contact', () => {
  it('are all answered in full, while each server is asked once', async () => {
    const fresh = isolateOf()
    const admin = await fresh.token()
    await registerAll(fresh, admin)
    fleet.reset()
    const init = modern(admin, 'tools/list')
    const lists = await Promise.all([list(fresh, init), list(fresh, init), list(fresh, init)])
    for (const { names } of lists) expect(names).toEqual(toolsOf(fleet.members.filter(isUp)))
    // `server/discover` and one page.
    expect(member('modern-b')[0]?.fetches).toBe(2)
  })
})

describe('a fleet that has not changed', () => {
  const FRESH_MS = 5 * 60_000

  it('is asked once in five minutes, behind the list, whatever isolate lists it and how often', async () => {
    const here = isolateOf()
    const there = isolateOf(here.tenant)
    const admin = await here.token({ ttlSeconds: 86_400 })
    await registerAll(here, admin)
    fleet.setMood(fleet.members, 'up')
    const listOn = async (on: TestGateway) => {
      const { response, settle } = await on.fetchWith('/mcp', modern(admin, 'tools/list'))
      await response.body?.cancel()
      await settle()
    }
    const fetches = () => fleet.members.reduce((sum, one) => sum + one.fetches, 0)
    // Both isolates know the same generation from now on.
    await listOn(here)
    await listOn(there)

    fleet.reset()
    aheadMs += FRESH_MS
    await listOn(here)
    const once = fetches()
    expect(once).toBeGreaterThan(0)
    for (let passed = 0; passed + 31_000 < FRESH_MS; passed += 31_000) {
      aheadMs += 31_000
      await listOn(here)
      await listOn(there)
      await listOn(isolateOf(here.tenant))
    }
    expect(fetches()).toBe(once)
  })
})
