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

/** As it is when the connection was lost behind the headers: it cannot be cancelled any more. */
const lostBody = (): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      controller.error(new Error('lost'))
    },
  })

/** A server that forgot its session; what its object is asked, and what the breaker learns. */
function setUp(capabilities: object, recovery: Recovery, knows = ['second'], ...later: Recovery[]) {
  const inputs: OpenSessionInput[] = []
  const recoveries = [recovery, ...later]
  const learned: unknown[] = []
  const ctx = { requestId: 'r', facts: {}, clock: { now: () => 0 } }
  const sessions = createSessions({
    sealer: {} as never,
    clock: ctx.clock,
    events: { emit: () => undefined },
    inFlight: { isBusy: () => false, left: () => [] },
    object: () =>
      ({
        recover: async (_server: unknown, _failed: unknown, input: OpenSessionInput) => {
          inputs.push(input)
          return recoveries.shift()
        },
      }) as never,
  })
  const upstreams: Pick<Upstreams, 'send' | 'open'> = {
    async send() {
      const isKnown = knows.includes(asked.at(-1) ?? '')
      const response = isKnown ? new Response('') : new Response(lostBody(), { status: 404 })
      const end = (): void => {
        ended += 1
      }
      return { kind: 'answer', endpoint: ENDPOINT, response, end }
    },
    async open(_ctx, _where, run) {
      const opened = await run(ENDPOINT)
      learned.push(opened.outcome)
      return opened
    },
  }
  const server = {
    path: 'shop',
    endpoints: [ENDPOINT],
    headers: [],
    timeoutMs: 1_000,
    upstream: { capabilities },
  }
  const asked: (string | undefined)[] = []
  let ended = 0
  const sending = sendInSession(
    ctx as never,
    { upstreams: upstreams as Upstreams, sessions },
    { target: { server } as unknown as Target, session },
    (id) => {
      asked.push(id)
      return {} as never
    },
  )
  return { sending, inputs, learned, asked, ended: () => ended }
}

describe('a session that its server forgot', () => {
  const reopened: Recovery = {
    kind: 'reopened',
    endpoint: ENDPOINT.id,
    upstreamId: 'second',
    isNew: true,
    outcome: 'success',
  }
  const moved: Recovery = {
    kind: 'reopened',
    endpoint: ENDPOINT.id,
    upstreamId: 'moved',
    isNew: false,
    outcome: undefined,
  }

  it.each([
    [{ logging: {} }, true],
    [{}, false],
  ])('is opened again as one of a server with the capabilities %j', async (capabilities, has) => {
    const { sending, inputs, asked, learned, ended } = setUp(capabilities, reopened)
    expect((await sending).response.status).toBe(200)
    expect(inputs).toMatchObject([{ hasLogging: has, endpoint: ENDPOINT.id }])
    expect(asked).toEqual(['first', 'second'])
    expect(learned).toEqual(['success'])
    // What was refused; the answer is its reader's to end.
    expect(ended()).toBe(1)
  })

  // req: session-reopened-once
  it('and forgets again, is opened once: the second 404 is its answer', async () => {
    const { sending, asked, inputs } = setUp({}, reopened, [], reopened)
    const { response, isRefusedAnew } = await sending
    expect([response.status, response.body, isRefusedAnew]).toEqual([404, null, true])
    expect(asked).toEqual(['first', 'second'])
    expect(inputs).toHaveLength(1)
  })

  it('is opened again where another isolate had done so, and it was forgotten since', async () => {
    const { sending, asked } = setUp({}, moved, ['second'], reopened)
    expect((await sending).response.status).toBe(200)
    expect(asked).toEqual(['first', 'moved', 'second'])
  })

  it('is not looked for without end', async () => {
    const { sending, asked } = setUp({}, moved, [], moved, moved)
    expect((await sending).response.status).toBe(404)
    expect(asked).toEqual(['first', 'moved', 'moved'])
  })

  it('fails as the handshake did, which the breaker learns', async () => {
    const failed = { kind: 'failed', code: 'upstream_timeout', message: 'Silence.' } as const
    const { sending, learned } = setUp({}, { ...failed, outcome: 'failure' })
    await expect(sending).rejects.toMatchObject({ code: 'upstream_timeout', message: 'Silence.' })
    expect(learned).toEqual(['failure'])
  })
})
