import { describe, expect, it } from 'vitest'
import { EndpointId, GatewayError, ServerId } from '../../../src/core/index.ts'
import {
  createStreamRelay,
  type StreamRelayDeps,
  type StreamRequest,
} from '../../../src/mcp/relay/relay-stream.ts'

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
function relay(answer: () => Response, targetNow: StreamRequest['targetNow']) {
  const sessions: string[] = []
  const facts: { outcome?: string } = {}
  const deps = {
    upstreams: {
      send: async (_ctx: unknown, { headers }: { headers: Headers }) => {
        sessions.push(headers.get('mcp-session-id') ?? '')
        return { endpoint: SERVER.endpoints[0], response: answer() }
      },
      open: (_ctx: unknown, _where: unknown, run: (endpoint: { url: string }) => unknown) =>
        run({ url: 'http://one' }),
    },
    sessions: {
      currentUpstreamId: () => 's0',
      recover: async () => ({ kind: 'reopened', upstreamId: `s${sessions.length}` }),
    },
    eventIds: { sealer: () => undefined },
  } as unknown as StreamRelayDeps
  const ctx = { facts, signal: new AbortController().signal, holdEvent: () => () => undefined }
  const session = { key: 'k', server: SERVER.id, endpoint: SERVER.endpoints[0]?.id }
  const wanted = { target: TARGET, targetNow, session } as unknown as StreamRequest
  return { opening: createStreamRelay(deps)(ctx as never, wanted), sessions, facts }
}

describe('the stream of one server', () => {
  it('is none where GET is unknown in session after session', async () => {
    const { opening, sessions } = relay(
      () => new Response('Cannot GET /mcp', { status: 404 }),
      async () => TARGET,
    )
    await expect(opening).rejects.toMatchObject({ code: 'method_not_allowed' })
    expect(sessions).toEqual(['s0', 's1', 's2'])
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
