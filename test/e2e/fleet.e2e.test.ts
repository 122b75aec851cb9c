import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  callModern,
  eventually,
  messageOf,
  openLegacy,
  postModern,
  type Stack,
  startStack,
} from '../support/e2e.ts'
import { createFleet, type Fleet, type FleetMember } from '../support/fleet.ts'
import { type FleetServer, serveFleet } from '../support/fleet-server.ts'
import { freePort } from '../support/processes.ts'

const TOOLS_EACH = 200
const UNAVAILABLE = 'dev.gatehouse/unavailable'

interface ListResult {
  readonly tools: readonly { readonly name: string; readonly description?: string }[]
  readonly nextCursor?: string
  readonly _meta?: Readonly<Record<string, unknown>>
}
type AskPage = (params: object) => Promise<ListResult>

let stack: Stack
let fleet: Fleet
let server: FleetServer
let token: string

const named = (kind: string) => fleet.members.filter(({ name }) => name.startsWith(kind))
const numbered = (kind: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${kind}-${String(index).padStart(2, '0')}`)
const toolsOf = (members: readonly FleetMember[]) =>
  members.flatMap(({ name, tools }) => tools.map((tool) => `${name}__${tool}`))
const url = () => `${stack.gateway.url}/mcp`

/** Of those that answer: what was begun at one that hangs may go on at any time. */
const fetches = () => named('up').reduce((sum, member) => sum + member.fetches, 0)

beforeAll(async () => {
  fleet = createFleet(
    [
      // Both kinds are whole to a modern client.
      ...numbered('up', 40).map((name, index) => {
        const era = index % 2 === 0 ? ('modern' as const) : ('dual' as const)
        return { name, era }
      }),
      ...numbered('hangs', 5).map((name) => ({ name, era: 'dual' as const })),
      { name: 'late', era: 'modern' },
    ],
    TOOLS_EACH,
  )
  server = await serveFleet(fleet)
  stack = await startStack()
  token = await stack.adminToken()
  const closedPort = await freePort()
  await Promise.all([
    ...[...named('up'), ...named('hangs')].map(({ name }) => register(name, server.urlOf(name))),
    ...numbered('refuses', 5).map((name) => register(name, `http://127.0.0.1:${closedPort}/mcp`)),
  ])
  fleet.setMood(named('up'), 'up')
  fleet.setMood(named('hangs'), 'hanging')
})
afterAll(() => Promise.all([stack.stop(), server.stop()]))

/** While it does not answer, so that nothing is known of it. */
async function register(path: string, address: string): Promise<void> {
  const input = { path, name: path, endpoints: [{ url: address }] }
  const { status, body } = await stack.api('POST', '/servers?allowUnreachable=true', input)
  if (status !== 201) throw new Error(`registering ${path}: ${status} ${JSON.stringify(body)}`)
}

const askModern: AskPage = async (params) => {
  const message = { id: 1, method: 'tools/list', params }
  const response = await postModern(url(), token, message)
  return resultOf(await messageOf(response))
}

async function allPages(ask: AskPage): Promise<ListResult[]> {
  const pages = [await ask({})]
  for (let last = pages[0]; last?.nextCursor !== undefined; last = pages.at(-1)) {
    pages.push(await ask({ cursor: last.nextCursor }))
  }
  return pages
}

const namesOf = (pages: readonly ListResult[]) =>
  pages.flatMap(({ tools }) => tools.map(({ name }) => name))
/** The gateway's own tools have no server in their names. */
const ofServers = (names: readonly string[]) => names.filter((name) => name.includes('__'))
const unavailableOf = ([page]: readonly ListResult[]) =>
  page?._meta?.[UNAVAILABLE] as readonly { readonly server: string }[] | undefined
/** Servers of which the list says that they are missing. */
const missingOf = (pages: readonly ListResult[]) =>
  (unavailableOf(pages) ?? []).map(({ server: name }) => name)
const isWhole = (pages: readonly ListResult[]) =>
  !missingOf(pages).some((name) => name.startsWith('up'))
const serversOf = (pages: readonly ListResult[]) => [
  ...new Set(ofServers(namesOf(pages)).map((name) => name.split('__')[0])),
]

function resultOf(message: Readonly<Record<string, unknown>>): ListResult {
  if (!('result' in message)) throw new Error(JSON.stringify(message))
  return message['result'] as ListResult
}

describe('fifty servers with 200 tools each, five hanging and five refusing', () => {
  const broken = () =>
    [...numbered('hangs', 5), ...numbered('refuses', 5)].map((name) => ({
      server: name,
      reason: 'not_reached',
    }))
  const registered = [...numbered('up', 40), ...numbered('hangs', 5), ...numbered('refuses', 5)]
  let first: ListResult[]

  // req: dead-upstream-alone
  // req: failure-reported
  // req: list-every-page
  it('are one list of the 8,000 tools of the others, at first contact with nothing stored', async () => {
    const stored = await stack.gateway.sql('select count(*) as count from catalog_items')
    expect(stored).toEqual([{ count: 0 }])

    // The first list asks all of them. Whom a slow machine lets answer later than a list waits is named
    // in it, and is in the next.
    fleet.reset()
    first = await eventually(
      async () => {
        const pages = await allPages(askModern)
        expect(named('up').filter((member) => member.fetches === 0)).toEqual([])
        const all = [...serversOf(pages), ...missingOf(pages)]
        expect(all.sort()).toEqual(registered.toSorted())
        return pages
      },
      isWhole,
      20_000,
    )
    expect(first.length).toBeGreaterThan(1)
    const names = ofServers(namesOf(first))
    expect(names).toHaveLength(8_000)
    expect(names).toEqual(toolsOf(named('up')))
    expect(unavailableOf(first)).toEqual(broken())
    expect(first[0]?.tools.find(({ name }) => name === 'up-00__tool-0')?.description).toContain(
      'What tool-0 of up-00 does',
    )
  })

  it('are the same list again without asking any of them', async () => {
    fleet.reset()
    const again = await allPages(askModern)
    expect(namesOf(again)).toEqual(namesOf(first))
    expect(unavailableOf(again)).toEqual(broken())
    expect(fetches()).toBe(0)
  })

  it('tell the log which of them could not be asked', () => {
    const failed = stack.events().filter(({ type }) => type === 'catalog_refresh_failed')
    const servers = failed.map(({ server: name }) => name)
    expect(servers).toEqual(expect.arrayContaining(numbered('refuses', 5)))
    expect(servers.filter((name) => String(name).startsWith('up'))).toEqual([])
    expect(stack.events().filter(({ type }) => type === 'fault')).toEqual([])
  })

  it('give a legacy client the tools of those that may speak its era', async () => {
    const send = await openLegacy(url(), token)
    const pages = await allPages(async (params) =>
      resultOf(await messageOf(await send({ id: 1, method: 'tools/list', params }))),
    )
    const names = ofServers(namesOf(pages))
    expect(names).toHaveLength(8_000)
    expect(names).toEqual(toolsOf(named('up')))

    const params = { name: 'up-01__tool-5', arguments: { query: 'x' } }
    const call = async () => messageOf(await send({ id: 2, method: 'tools/call', params }))
    const text = { result: { content: [{ text: 'up-01 ran tool-5' }] } }
    expect(await call()).toMatchObject(text)
    fleet.reset()
    expect(await call()).toMatchObject(text)
    expect(fetches()).toBe(1)
  })

  it('cost a call to a healthy one a single fetch, with and without the broken ones', async () => {
    const call = async (name: string) => {
      fleet.reset()
      const response = await callModern(url(), token, `${name}__tool-7`, { query: 'x' })
      expect(response.status).toBe(200)
      expect(await messageOf(response)).toMatchObject({
        result: { content: [{ text: `${name} ran tool-7` }] },
      })
      return fetches()
    }
    expect([await call('up-02'), await call('up-03')]).toEqual([1, 1])
    for (const { server: name } of broken()) {
      expect((await stack.api('DELETE', `/servers/${name}`)).status).toBe(204)
    }
    expect([await call('up-02'), await call('up-03')]).toEqual([1, 1])
    expect(unavailableOf(await allPages(askModern))).toBeUndefined()
  })
})

describe('a server that answers after everybody stopped waiting', () => {
  // req: failure-not-empty
  it('is stored all the same, and is in the next list', async () => {
    const late = named('late')
    await register('late', server.urlOf('late'))
    fleet.setMood(late, 'hanging')
    const without = await allPages(askModern)
    expect(unavailableOf(without)).toEqual([{ server: 'late', reason: 'not_reached' }])
    expect(ofServers(namesOf(without))).toEqual(toolsOf(named('up')))

    fleet.setMood(late, 'up')
    const pages = await eventually(
      () => allPages(askModern),
      (list) => unavailableOf(list) === undefined,
    )
    expect(ofServers(namesOf(pages)).filter((name) => name.startsWith('late'))).toEqual(
      toolsOf(late),
    )
  })
})
