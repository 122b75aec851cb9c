import { describe, expect, it } from 'vitest'
import { EndpointId, ServerId } from '../../../src/core/index.ts'
import { sendInSession } from '../../../src/mcp/relay/send-in-session.ts'
import type { Target } from '../../../src/mcp/relay/target.ts'
import type { OpenSessionInput, Recovery } from '../../../src/mcp/session/session-state.ts'
import { createSessions, type LegacySession } from '../../../src/mcp/session/sessions.ts'
import type { Endpoint, Upstreams } from '../../../src/mcp/upstream/send.ts'

const ENDPOINT = {
  id: EndpointId.parse('00000000-0000-4000-8000-000000000001'),
  url: 'https://shop.example/',
} as Endpoint

const session: LegacySession = {
  key: '00000000-0000-4000-8000-000000000003',
  server: ServerId.parse('00000000-0000-4000-8000-000000000002'),
  endpoint: ENDPOINT.id,
  upstreamId: 'first',
  hello: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {} },
}

/** A server that forgot its session; what its object is asked, and what the breaker learns. */
function setUp(capabilities: object, recovery: Recovery) {
  const inputs: OpenSessionInput[] = []
  const learned: unknown[] = []
  const ctx = { requestId: 'r', clock: { now: () => 0 } }
  const sessions = createSessions({
    sealer: {} as never,
    clock: ctx.clock,
    events: { emit: () => undefined },
    object: () =>
      ({
        recover: async (_server: unknown, _failed: unknown, input: OpenSessionInput) => {
          inputs.push(input)
          return recovery
        },
      }) as never,
  })
  let sends = 0
  const upstreams: Pick<Upstreams, 'send' | 'open'> = {
    async send() {
      sends += 1
      return {
        endpoint: ENDPOINT,
        response: new Response(null, { status: sends === 1 ? 404 : 200 }),
      }
    },
    async open(_ctx, _where, run) {
      const opened = await run(ENDPOINT)
      learned.push(opened.outcome)
      return opened
    },
  }
  const server = { path: 'shop', headers: [], timeoutMs: 1_000, upstream: { capabilities } }
  const asked: (string | undefined)[] = []
  const sending = sendInSession(
    ctx as never,
    { upstreams: upstreams as Upstreams, sessions },
    { target: { server } as unknown as Target, session },
    (id) => {
      asked.push(id)
      return {} as never
    },
  )
  return { sending, inputs, learned, asked }
}

describe('a session that its server forgot', () => {
  const reopened = { kind: 'reopened', upstreamId: 'second', outcome: 'success' } as const

  it.each([
    [{ logging: {} }, true],
    [{}, false],
  ])('is opened again as one of a server with the capabilities %j', async (capabilities, has) => {
    const { sending, inputs, asked, learned } = setUp(capabilities, reopened)
    expect((await sending).response.status).toBe(200)
    expect(inputs).toMatchObject([{ hasLogging: has, endpoint: ENDPOINT.id }])
    expect(asked).toEqual(['first', 'second'])
    expect(learned).toEqual(['success'])
  })

  it('fails as the handshake did, which the breaker learns', async () => {
    const failed = { kind: 'failed', code: 'upstream_timeout', message: 'Silence.' } as const
    const { sending, learned } = setUp({}, { ...failed, outcome: 'failure' })
    await expect(sending).rejects.toMatchObject({ code: 'upstream_timeout', message: 'Silence.' })
    expect(learned).toEqual(['failure'])
  })
})
