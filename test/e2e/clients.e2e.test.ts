import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, postModern, type Stack, startStack } from '../support/e2e.ts'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'
import { type RunningUpstream, startEverything, startSample } from '../support/processes.ts'
import { CLIENTS } from './clients/index.ts'
import { installInterop } from './interop.ts'

let stack: Stack
let modern: ModernServer
let everything: RunningUpstream
let clock: RunningUpstream
let user = ''
let stranger = ''

beforeAll(async () => {
  await installInterop()
  ;[stack, modern, everything, clock] = await Promise.all([
    startStack(),
    startModernServer(),
    startEverything(),
    startSample('currenttime'),
  ])
  await stack.register('modern', modern.url)
  await stack.register('everything', everything.url)
  await stack.register('clock', clock.url)
  user = await stack.idp.token('user-service')
  stranger = await stack.idp.token('stranger-service')
}, 240_000)
afterAll(() => Promise.all([stack, modern, everything, clock].map((part) => part.stop())))

/** One of each era, and one of both; with a tool that the user may call, and what it says. */
const SERVERS = {
  everything: {
    tools: ['echo', 'get-sum'],
    call: ['echo', { message: 'hi' }],
    says: /^Echo: hi$/,
  },
  modern: { tools: ['echo'], call: ['echo', { message: 'hi' }], says: /^Echo: hi$/ },
  clock: {
    tools: ['current_time_by_timezone', 'convert_time'],
    call: ['current_time_by_timezone', { tz_name: 'Europe/Zurich' }],
    says: /Europe\/Zurich/,
  },
} as const

type ClientName = (typeof CLIENT_NAMES)[number]
type ServerName = keyof typeof SERVERS
const CLIENT_NAMES = ['SDK v2 (auto)', 'SDK v1', 'Inspector', 'Inspector (auto)'] as const
const SERVER_NAMES = ['everything', 'modern', 'clock'] as const

/** Which era each client ends up in. A client of the other era than the server's is refused. */
const MATRIX = {
  'SDK v2 (auto)': { everything: 'legacy', modern: 'modern', clock: 'modern' },
  'SDK v1': { everything: 'legacy', modern: 'refused', clock: 'legacy' },
  Inspector: { everything: 'legacy', modern: 'refused', clock: 'legacy' },
  'Inspector (auto)': { everything: 'legacy', modern: 'modern', clock: 'modern' },
} as const satisfies Record<ClientName, Record<ServerName, 'legacy' | 'modern' | 'refused'>>

/** Cells of the matrix whose era is one of these. */
function cells(...eras: readonly string[]) {
  return CLIENT_NAMES.flatMap((client) =>
    SERVER_NAMES.map((server) => ({ client, server, era: MATRIX[client][server] })),
  ).filter(({ era }) => eras.includes(era))
}

const NOT_BRIDGED =
  '"error":{"code":-32022,"message":"Unsupported protocol version: 2025-11-25","data":{"supported":["2026-07-28"],"requested":"2025-11-25","code":"unsupported_version","fix":"Use one of data.supported."'

/** Event lines of requests since `before`; a line may be printed after the client has its answer. */
const requestsSince = (before: number, wanted: Record<string, unknown>) =>
  eventually(
    async () => stack.events().slice(before),
    (events) => events.some((event) => isPart(wanted, event)),
  )

describe('the matrix of clients and servers', () => {
  it.each(cells('legacy', 'modern'))(
    '$client lists and calls the tools of $server in the $era era',
    async ({ client, server, era }) => {
      const { tools, says } = SERVERS[server]
      const before = stack.events().length
      expect(await CLIENTS[client].client.list(stack.mcp(server), user)).toEqual(tools)
      expect(await callOne(client, server)).toMatch(says)
      const wanted = { type: 'request', server, era, method: 'tools/call', status: 200 }
      expect(await requestsSince(before, wanted)).toContainEqual(expect.objectContaining(wanted))
    },
  )

  it.each(cells('refused'))(
    '$client is told by $server which version would do',
    async ({ client, server }) => {
      const list = CLIENTS[client].client.list(stack.mcp(server), user)
      await expect(list).rejects.toThrow(NOT_BRIDGED)
      await expect(callOne(client, server)).rejects.toThrow(NOT_BRIDGED)
    },
  )

  // A server without sessions has nobody to send a stream to.
  it.each(cells('legacy').filter(({ server }) => server === 'clock'))(
    '$client asks $server for a GET stream, gets 405, and works all the same',
    async ({ client, server }) => {
      const before = stack.events().length
      expect(await callOne(client, server)).toMatch(SERVERS[server].says)
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

function callOne(client: ClientName, server: ServerName): Promise<string> {
  const [tool, args] = SERVERS[server].call
  return CLIENTS[client].client.call(stack.mcp(server), user, tool, args)
}

function isPart(wanted: Record<string, unknown>, event: Record<string, unknown>): boolean {
  return Object.entries(wanted).every(([member, value]) => event[member] === value)
}

describe.each(CLIENT_NAMES)('%s', (name) => {
  const foreign = CLIENTS[name].client

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
      failure(foreign.call(stack.mcp('everything'), user, name, {}), name)
    const denied = await call('get-tiny-image')
    expect(denied).toMatch(/[Uu]nknown tool: <name>|Tool '<name>' not found/)
    expect(await call('no-such-tool')).toBe(denied)
    expect(await foreign.list(stack.mcp('everything'), user)).not.toContain('get-tiny-image')
    const admin = await stack.adminToken()
    expect(await foreign.list(stack.mcp('everything'), admin)).toContain('get-tiny-image')
  })

  it('cannot tell a server that its user may not use from one that is not there', async () => {
    const list = (path: string) => failure(foreign.list(stack.mcp(path), stranger), path)
    const denied = await list('everything')
    expect(denied).toContain('"code":-31006')
    expect(denied).toContain('There is no server named')
    expect(await list('nowhere')).toBe(denied)
  })
})
