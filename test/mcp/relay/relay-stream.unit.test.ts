import { describe, expect, it } from 'vitest'
import { EndpointId, GatewayError, ServerId } from '../../../src/core/index.ts'
import {
  createStreamRelay,
  type StreamRelayDeps,
  type StreamRequest,
} from '../../../src/mcp/relay/relay-stream.ts'
import { DEFAULT_STREAM_BOUNDS } from '../../../src/mcp/wire/stream-bounds.ts'

const SERVER = {
  id: ServerId.parse(crypto.randomUUID()),
  path: 'one',
  timeoutMs: 1_000,
  headers: [],
  visibility: 'private',
  allowedGroups: [],
  endpoints: [{ id: EndpointId.parse(crypto.randomUUID()) }],
  upstream: {},
}
const ACTOR = { principal: { key: 'p' }, rights: { isAdmin: false } }
const TARGET = { actor: ACTOR, server: SERVER } as never

const events = () =>
  new Response('data: {"jsonrpc":"2.0","method":"n/x"}\n\n', {
    headers: { 'content-type': 'text/event-stream' },
  })

/** The stream of a server that answers GET like this. */
function relay(
  answer: () => Response,
  targetNow: StreamRequest['targetNow'],
  more: Partial<StreamRequest> = {},
) {
  const sessions: string[] = []
  const facts: { outcome?: string } = {}
  const deps = {
    upstreams: {
      send: async (_ctx: unknown, { headers }: { headers: Headers }) => {
        sessions.push(headers.get('mcp-session-id') ?? '')
        return { endpoint: SERVER.endpoints[0], response: answer(), end: () => undefined }
      },
      open: (_ctx: unknown, _where: unknown, run: (endpoint: { url: string }) => unknown) =>
        run({ url: 'http://one' }),
    },
    sessions: {
      placeOf: () => ({ endpoint: SERVER.endpoints[0]?.id, upstreamId: 's0' }),
      recover: async () => ({
        kind: 'reopened',
        endpoint: SERVER.endpoints[0]?.id,
        upstreamId: `s${sessions.length}`,
        isNew: true,
      }),
    },
    eventIds: { sealer: () => undefined },
    inFlight: { add: () => ({ suspend: () => undefined, forget: () => undefined }) },
    bounds: DEFAULT_STREAM_BOUNDS,
  } as unknown as StreamRelayDeps
  const clock = { now: () => 0 }
  const ctx = {
    facts,
    clock,
    caller: new AbortController(),
    holdEvent: () => () => undefined,
  }
  const session = { key: 'k', server: SERVER.id, endpoint: SERVER.endpoints[0]?.id }
  const wanted = { target: TARGET, targetNow, session, ...more } as unknown as StreamRequest
  return { opening: createStreamRelay(deps)(ctx as never, wanted), sessions, facts }
}

describe('the stream of one server', () => {
  it('is none where GET is unknown in a session opened just now', async () => {
    const { opening, sessions } = relay(
      () => new Response('Cannot GET /mcp', { status: 404 }),
      async () => TARGET,
    )
    await expect(opening).rejects.toMatchObject({ code: 'method_not_allowed' })
    expect(sessions).toEqual(['s0', 's1'])
  })

  it('tells progress, unless several servers share it and it goes on with no request', async () => {
    const progress =
      'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}\n\n'
    const opened = async (more: Partial<StreamRequest>) => {
      const body = () =>
        new Response(progress, { headers: { 'content-type': 'text/event-stream' } })
      return (await relay(body, async () => TARGET, more).opening).text()
    }
    const shared = { path: 'all', names: {} } as never
    const request = { method: 'tools/call', clientId: '1', upstreamId: '"up"' }
    const resume = { session: '', server: SERVER.id, eventId: '1', request }
    expect(await opened({})).toBe(progress)
    expect(await opened({ shared })).toBe('')
    expect(await opened({ shared, resume })).toBe(progress)
  })

  it('goes on while its client may hear the same server at the same endpoint', async () => {
    const { opening } = relay(events, async () => TARGET)
    expect(await (await opening).text()).toContain('n/x')
  })

  it.each<[string, StreamRequest['targetNow'], string | undefined]>([
    [
      'its client may not hear it any more',
      () => Promise.reject(new GatewayError('not_found', 'no')),
      'not_found',
    ],
    [
      'another server has its path',
      async () =>
        ({ actor: ACTOR, server: { ...SERVER, id: ServerId.parse(crypto.randomUUID()) } }) as never,
      undefined,
    ],
    [
      'its endpoint is gone',
      async () => ({ actor: ACTOR, server: { ...SERVER, endpoints: [] } }) as never,
      undefined,
    ],
  ])('says nothing more when %s', async (_what, targetNow, outcome) => {
    const { opening, facts } = relay(events, targetNow)
    expect(await (await opening).text()).toBe('')
    expect(facts.outcome).toBe(outcome)
  })
})
