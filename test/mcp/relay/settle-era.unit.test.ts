import { describe, expect, it } from 'vitest'
import {
  type CallContext,
  EndpointId,
  type OutboundRequest,
  type OutboundResult,
  ServerId,
} from '../../../src/core/index.ts'
import { createSettleEra } from '../../../src/mcp/relay/settle-era.ts'
import type { Endpoint } from '../../../src/mcp/upstream/send.ts'
import type { ServerRecord } from '../../../src/registry/index.ts'

const ENDPOINT = {
  id: EndpointId.parse('00000000-0000-4000-8000-000000000001'),
  url: 'https://shop.example/',
  weight: 1,
  health: 'healthy',
} as Endpoint

const server = {
  id: ServerId.parse('00000000-0000-4000-8000-000000000002'),
  path: 'shop',
  headers: [],
  timeoutMs: 1_000,
  endpoints: [ENDPOINT],
  upstream: {
    eras: 'modern',
    protocolVersions: ['2026-07-28'],
    sessionful: false,
    legacy: 'untried',
  },
} as unknown as ServerRecord

/** A server that refuses the handshake, unless told otherwise, and a registry that stores nothing. */
function setUp() {
  const seen: OutboundRequest[] = []
  const events: unknown[] = []
  const learned: unknown[] = []
  let now = 0
  let isOutdated = false
  let answer: OutboundResult = { kind: 'response', response: new Response(null, { status: 400 }) }
  const ctx = {
    requestId: 'r',
    clock: { now: () => now },
    caller: new AbortController(),
  } as unknown as CallContext
  const settleEra = createSettleEra({
    events: { emit: (event) => events.push(event) },
    outbound: {
      async send(request) {
        seen.push(request)
        return answer
      },
    },
    upstreams: {
      async open(_ctx, _where, run) {
        const opened = await run(ENDPOINT)
        learned.push(opened.outcome)
        return opened
      },
    },
    probes: {
      storeFacts: async () => {
        if (isOutdated) return { isStored: false }
        throw new Error('D1 is down')
      },
    },
  })
  return {
    ...{ seen, events, learned, ctx },
    settle: () => settleEra(ctx, server),
    advance: (ms: number) => {
      now += ms
    },
    changeMeanwhile: () => {
      isOutdated = true
    },
    answerWith: (given: OutboundResult) => {
      answer = given
    },
  }
}

describe('a server that is asked for the legacy handshake', () => {
  it('is asked once in 30 s by an isolate that cannot store what it says', async () => {
    const { settle, seen, advance, events } = setUp()
    for (const _time of [1, 2, 3]) expect((await settle()).upstream).not.toHaveProperty('legacy')
    expect(seen).toHaveLength(1)
    expect(events).toEqual([expect.objectContaining({ type: 'fault', where: 'settle-era' })])
    advance(30_000)
    await settle()
    expect(seen).toHaveLength(2)
  })

  it('leaves no fault where somebody else was faster to store what it says', async () => {
    const { settle, events, changeMeanwhile } = setUp()
    changeMeanwhile()
    expect((await settle()).upstream).not.toHaveProperty('legacy')
    expect(events).toEqual([])
  })

  it('is asked again after it failed, which its breaker learns', async () => {
    const { settle, seen, learned, answerWith } = setUp()
    answerWith({ kind: 'fault', fault: 'timeout', message: '' })
    for (const _time of [1, 2]) {
      await expect(settle()).rejects.toMatchObject({ code: 'upstream_timeout' })
    }
    expect(seen).toHaveLength(2)
    expect(learned).toEqual(['failure', 'failure'])
  })

  it('is asked no longer than its caller waits', async () => {
    const { settle, seen, ctx } = setUp()
    await settle()
    expect(seen[0]?.signal).toBe(ctx.caller.signal)
  })
})
