import { describe, expect, it } from 'vitest'
import {
  type CallContext,
  EndpointId,
  GatewayError,
  ServerId,
  ServerPath,
} from '../../../src/core/index.ts'
import { crosses } from '../../../src/mcp/bridge/index.ts'
import type { Inbound } from '../../../src/mcp/eras.ts'
import { authorise } from '../../../src/mcp/relay/target.ts'
import { requireSession } from '../../../src/mcp/session/session-rules.ts'
import type { LegacySession } from '../../../src/mcp/session/sessions.ts'
import { resolveEndpoint } from '../../../src/mcp/shared/index.ts'
import type { ServerRecord, TenantSnapshot } from '../../../src/registry/index.ts'
import { actorIn, principalIn } from '../../policy/sample.ts'

const ENDPOINT = EndpointId.parse('00000000-0000-4000-8000-000000000001')
const SERVER = ServerId.parse('00000000-0000-4000-8000-000000000002')
const OTHER = '00000000-0000-4000-8000-000000000003'

function serverOf(
  eras: ServerRecord['upstream']['eras'],
  over: Partial<ServerRecord> = {},
  upstream: Partial<ServerRecord['upstream']> = {},
): ServerRecord {
  return {
    id: SERVER,
    tenant: principalIn([]).tenant,
    path: ServerPath.parse('fininfo'),
    name: 'Finance',
    owner: 'someone#else',
    visibility: 'public',
    allowedGroups: [],
    enabled: true,
    timeoutMs: 1_000,
    trustAnnotations: false,
    resilience: {},
    transport: 'streamable-http',
    authStrategy: 'none',
    endpoints: [{ id: ENDPOINT, url: 'https://a.example/', weight: 1, health: 'healthy' }],
    upstream: { eras, protocolVersions: [], sessionful: true, ...upstream },
    headers: [],
    tools: new Map(),
    prompts: new Set(),
    ...over,
  }
}

function request(era: 'modern' | 'legacy', method: string, over: object = {}): Inbound {
  const id = { start: 0, end: 0 }
  return { kind: 'request', era, text: '', method, params: {}, id, ...over }
}
const note = (era: 'modern' | 'legacy', method: string): Inbound => ({
  kind: 'notification',
  era,
  text: '',
  method,
  params: {},
})
const response: Inbound = { kind: 'response', era: 'legacy', text: '' }

function refusal(run: () => unknown) {
  try {
    run()
  } catch (thrown) {
    if (thrown instanceof GatewayError) {
      return { code: thrown.code, message: thrown.message, ...thrown.detail }
    }
    throw thrown
  }
  return undefined
}

describe('a request', () => {
  it.each([
    ['modern', 'modern', false],
    ['legacy', 'legacy', false],
    ['modern', 'legacy', true],
    ['legacy', 'modern', true],
    ['dual', 'modern', false],
    ['dual', 'legacy', false],
    ['unknown', 'modern', false],
    ['unknown', 'legacy', false],
  ] as const)('of a %s server, sent in the %s era, changes eras: %s', (eras, era, isCrossing) => {
    expect(crosses({ eras }, era)).toBe(isCrossing)
  })
})

describe('a session', () => {
  const session: LegacySession = {
    key: OTHER,
    server: SERVER,
    endpoint: ENDPOINT,
    upstreamId: 'up',
  }

  it('is needed by every legacy message but the hello, where the server gives one', () => {
    const server = serverOf('legacy')
    for (const inbound of [request('legacy', 'ping'), note('legacy', 'initialize'), response]) {
      expect(refusal(() => requireSession(server, inbound, undefined))?.code).toBe(
        'session_required',
      )
      expect(refusal(() => requireSession(server, inbound, session))).toBeUndefined()
    }
    const hello = request('legacy', 'initialize')
    expect(refusal(() => requireSession(server, hello, undefined))).toBeUndefined()
  })

  it('is not needed where the server gives none, nor by a modern message', () => {
    const stateless = serverOf('legacy', {}, { sessionful: false })
    expect(
      refusal(() => requireSession(stateless, request('legacy', 'ping'), undefined)),
    ).toBeUndefined()
    expect(
      refusal(() => requireSession(serverOf('dual'), request('modern', 'ping'), undefined)),
    ).toBeUndefined()
  })

  it('is gone when its server is', () => {
    const ping = request('legacy', 'ping')
    const recreated = serverOf('legacy', { id: ServerId.parse(OTHER) })
    expect(refusal(() => requireSession(recreated, ping, session))).toMatchObject({
      code: 'session_not_found',
      message: 'The session is unknown, expired or was ended.',
    })
  })
})

describe('the authorisation of a message', () => {
  const server = serverOf('dual')
  const ask = (groups: string[], inbound: Inbound, scopes: string[] = []) =>
    refusal(() => authorise({ actor: actorIn(groups, scopes), server }, inbound))

  it('lets pass what is granted', () => {
    const call = request('modern', 'tools/call', { name: 'get_stock_aggregates' })
    expect(ask(['listers'], call)).toBeUndefined()
    expect(ask(['listers'], request('legacy', 'initialize'))).toBeUndefined()
    expect(ask(['listers'], note('legacy', 'notifications/initialized'))).toBeUndefined()
    expect(ask(['listers'], response)).toBeUndefined()
  })

  it('answers as if what is not granted did not exist', () => {
    const call = request('modern', 'tools/call', { name: 'drop_table' })
    expect(ask(['listers'], call)).toEqual({
      code: 'unknown_tool',
      message: 'Unknown tool: drop_table',
    })
    expect(ask(['listers'], request('modern', 'tools/call'))?.code).toBe('unknown_tool')
    expect(ask(['listers'], note('legacy', 'tools/call'))?.code).toBe('unknown_tool')
    expect(ask(['listers'], request('legacy', 'resources/read'))).toEqual({
      code: 'method_not_found',
      message: 'Method not found',
    })
    expect(ask([], call)).toEqual({
      code: 'not_found',
      message: 'There is no server named "fininfo".',
    })
    expect(ask([], response)?.code).toBe('not_found')
  })

  it('repeats no more than a little of a name', () => {
    const call = request('modern', 'tools/call', { name: 'x'.repeat(100_000) })
    expect(ask(['listers'], call)?.message.length).toBeLessThan(200)
  })

  it('asks for a step-up only where the groups allow it', () => {
    const call = (name: string) => request('modern', 'tools/call', { name })
    expect(ask(['listers'], call('get_stock_aggregates'), ['gatehouse:read'])).toMatchObject({
      code: 'insufficient_scope',
      data: { scope: 'gatehouse:call' },
    })
    expect(ask(['listers'], call('drop_table'), ['gatehouse:read'])?.code).toBe('unknown_tool')
  })
})

describe('what stands behind a path', () => {
  const resolve = (server: ServerRecord | undefined, path = 'fininfo') =>
    resolveEndpoint(
      {} as CallContext,
      {
        endpoint: async () => (server ? { kind: 'server', server } : undefined),
      } as unknown as TenantSnapshot,
      actorIn([]),
      path,
    )

  it('is a server', async () => {
    const server = serverOf('dual')
    expect(await resolve(server)).toEqual({ kind: 'server', server })
  })

  it('is the gateway itself for its own paths, whatever is registered', async () => {
    expect(await resolve(undefined, 'mcp')).toMatchObject({ endpoint: { kind: 'all' } })
    expect(await resolve(undefined, 'mcpgw')).toMatchObject({ endpoint: { kind: 'own' } })
  })

  it('is missing alike when there is none and when it is disabled', async () => {
    const expected = { code: 'not_found', message: 'There is no server named "fininfo".' }
    await expect(resolve(undefined)).rejects.toMatchObject(expected)
    await expect(resolve(serverOf('dual', { enabled: false }))).rejects.toMatchObject(expected)
  })
})
