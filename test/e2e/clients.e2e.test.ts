import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, postModern, type Stack, startStack } from '../support/e2e.ts'
import { type RunningUpstream, startEverything, startSample } from '../support/processes.ts'
import { using } from './clients/foreign-client.ts'
import { CLIENTS, clientRow } from './clients/index.ts'
import { installInterop } from './interop.ts'

let stack: Stack
let everything: RunningUpstream
let clock: RunningUpstream
let user = ''
let stranger = ''

beforeAll(async () => {
  await installInterop()
  ;[stack, everything, clock] = await Promise.all([
    startStack(),
    startEverything(),
    startSample('currenttime'),
  ])
  await stack.register('everything', everything.url)
  await stack.register('clock', clock.url)
  user = await stack.idp.token('user-service')
  stranger = await stack.idp.token('stranger-service')
}, 240_000)
afterAll(() => Promise.all([stack, everything, clock].map((part) => part.stop())))

/** A server of both eras, with a tool that the user may call; interop.e2e.test.ts has the others. */
const CLOCK = {
  tools: ['current_time_by_timezone', 'convert_time'],
  call: ['current_time_by_timezone', { tz_name: 'Europe/Zurich' }],
  says: /Europe\/Zurich/,
} as const

type ClientName = (typeof CLIENT_NAMES)[number]
const CLIENT_NAMES = ['SDK v2 (auto)', 'SDK v1', 'Inspector', 'Inspector (auto)'] as const
const CELLS = CLIENT_NAMES.map((client) => ({ client, era: CLIENTS[client].era }))

/** Event lines of requests since `before`; a line may be printed after the client has its answer. */
const requestsSince = (before: number, wanted: Record<string, unknown>) =>
  eventually(
    async () => stack.events().slice(before),
    (events) => events.some((event) => isPart(wanted, event)),
  )

describe('a server of both eras', () => {
  it.each(CELLS)('is used by $client in the $era era', async ({ client, era }) => {
    const before = stack.events().length
    const listing = using(clientRow(client).client, stack.mcp('clock'), user, (it) => it.list())
    expect(await listing).toEqual(CLOCK.tools)
    expect(await callClock(client)).toMatch(CLOCK.says)
    const wanted = { type: 'request', server: 'clock', era, method: 'tools/call', status: 200 }
    expect(await requestsSince(before, wanted)).toContainEqual(expect.objectContaining(wanted))
  })

  // A server without sessions has nobody to send a stream to.
  it.each(CELLS.filter(({ era }) => era === 'legacy'))(
    'answers a GET of $client with 405, who works all the same',
    async ({ client }) => {
      const before = stack.events().length
      expect(await callClock(client)).toMatch(CLOCK.says)
      const wanted = { httpMethod: 'GET', status: 405, outcome: 'method_not_allowed' }
      expect(await requestsSince(before, wanted)).toContainEqual(expect.objectContaining(wanted))
    },
  )
})

describe('a subscription to changes', () => {
  // Source: MCP 2026-07-28, subscriptions/listen. The Inspector waits for this in vain otherwise.
  it('is acknowledged under the id that the client gave it', async () => {
    const message = {
      id: 'my listen',
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true } },
    }
    const response = await postModern(stack.mcp('clock'), user, message)
    expect(response.status).toBe(200)
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    const first = await reader?.read()
    await reader?.cancel()
    expect(JSON.parse(first?.value?.split('data: ')[1] ?? 'null')).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: {
        notifications: { toolsListChanged: true },
        _meta: { 'io.modelcontextprotocol/subscriptionId': 'my listen' },
      },
    })
  })
})

function callClock(client: ClientName): Promise<string> {
  const [tool, args] = CLOCK.call
  return using(clientRow(client).client, stack.mcp('clock'), user, (it) => it.call(tool, args))
}

function isPart(wanted: Record<string, unknown>, event: Record<string, unknown>): boolean {
  return Object.entries(wanted).every(([member, value]) => event[member] === value)
}

describe.each(CLIENT_NAMES)('%s', (name) => {
  const foreign = clientRow(name).client
  const list = (path: string, token: string) =>
    using(foreign, stack.mcp(path), token, (it) => it.list())

  /** What the client says when it fails, with what is different every time made equal. */
  const failure = async (work: Promise<unknown>, ...names: readonly string[]): Promise<string> => {
    const message = await work.then(
      (value) => `no failure: ${JSON.stringify(value)}`,
      (error: unknown) => String(error),
    )
    return names
      .reduce((text, name) => text.replaceAll(name, '<name>'), message)
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>')
  }

  it('cannot tell a tool that its user may not call from one that is not there', async () => {
    const call = (name: string) =>
      failure(
        using(foreign, stack.mcp('everything'), user, (it) => it.call(name, {})),
        name,
      )
    const denied = await call('get-tiny-image')
    expect(denied).toMatch(/[Uu]nknown tool: <name>|Tool '<name>' not found/)
    expect(await call('no-such-tool')).toBe(denied)
    expect(await list('everything', user)).not.toContain('get-tiny-image')
    const admin = await stack.adminToken()
    expect(await list('everything', admin)).toContain('get-tiny-image')
  })

  it('cannot tell a server that its user may not use from one that is not there', async () => {
    const refused = (path: string) => failure(list(path, stranger), path)
    const denied = await refused('everything')
    expect(denied).toContain('"code":-31006')
    expect(denied).toContain('There is no server named')
    expect(await refused('nowhere')).toBe(denied)
  })
})
