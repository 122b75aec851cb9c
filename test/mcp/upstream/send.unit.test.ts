import { describe, expect, it } from 'vitest'
import {
  EndpointId,
  type OutboundFault,
  type OutboundRequest,
  type OutboundResult,
} from '../../../src/core/index.ts'
import { createUpstreams } from '../../../src/mcp/upstream/send.ts'
import { DEFAULT_SENDING, type SendDefaults } from '../../../src/mcp/upstream/send-policy.ts'
import type { ServerRecord } from '../../../src/registry/index.ts'
import type { Breakers } from '../../../src/resilience/index.ts'

const [A, B] = ['1', '2'].map((digit) =>
  EndpointId.parse(`00000000-0000-4000-8000-00000000000${digit}`),
) as [EndpointId, EndpointId]

const server = {
  id: 'shop-id',
  tenant: 'acme',
  path: 'shop',
  timeoutMs: 1_000,
  headers: [],
  resilience: {},
  endpoints: [
    { id: A, url: 'https://a.example/', weight: 1, health: 'healthy' },
    { id: B, url: 'https://b.example/', weight: 1, health: 'healthy' },
  ],
} as unknown as ServerRecord

/** Upstreams whose answers come one after another, and all that was asked and learned. */
function upstreamsOver(
  answers: (() => OutboundResult)[],
  open: readonly EndpointId[] = [],
  options: { sending?: SendDefaults } = {},
) {
  const sent: string[] = []
  const learned: string[] = []
  const doubted: string[] = []
  const ctx = {
    requestId: 'r',
    clock: { now: () => 0 },
    random: { fraction: () => 0, uuid: () => '', bytes: () => new Uint8Array() },
    caller: new AbortController(),
    facts: {} as Record<string, unknown>,
    waitUntil: () => undefined,
    holdEvent: () => () => undefined,
  }
  const breakers: Breakers = {
    peek: (endpoint) => (open.includes(endpoint) ? 'open' : 'closed'),
    admitsAtOnce: (endpoint) => !open.includes(endpoint),
    admit: async (_ctx, endpoint) =>
      open.includes(endpoint) ? { kind: 'open', retryAfterSeconds: 9 } : { kind: 'closed' },
    record: (_ctx, endpoint, outcome) => {
      if (outcome !== 'abandoned') learned.push(`${endpoint.slice(-1)} ${outcome}`)
    },
    of: () => breakers,
    phase: async () => 'closed',
  }
  const outbound = {
    async send({ url, method }: OutboundRequest): Promise<OutboundResult> {
      sent.push(`${method} ${url}`)
      return (answers.shift() ?? ok)()
    },
    getJson: async () => undefined,
  }
  const upstreams = createUpstreams({
    outbound,
    breakers,
    load: {
      begin: () => () => undefined,
      inFlight: () => 0,
      latencyMs: () => undefined,
      peekLatencyMs: () => undefined,
      refresh: () => undefined,
    },
    sending: options.sending ?? DEFAULT_SENDING,
    recheckTransport: (_ctx, endpoint, { method, isInSession, status }) =>
      doubted.push(`${endpoint.slice(-1)} ${method} ${status}${isInSession ? ' in session' : ''}`),
  })
  const send = (canRetry: boolean, pinned?: EndpointId) => {
    const call = { server, method: 'POST' as const, headers: new Headers(), body: '{}', canRetry }
    return upstreams.send(ctx as never, { ...call, ...(pinned ? { pinned } : {}) })
  }
  return { upstreams, send, sent, learned, doubted, ctx }
}

const ok = (): OutboundResult => ({ kind: 'response', response: new Response('ok') })
const status = (code: number) => (): OutboundResult => ({
  kind: 'response',
  response: new Response('failed', { status: code }),
})
const fault = (kind: OutboundFault) => () =>
  ({ kind: 'fault', fault: kind, message: 'secret address' }) as const

describe('sending to an upstream', () => {
  it('sends once and gives the answer', async () => {
    const { send, sent, learned, ctx } = upstreamsOver([ok])
    const { endpoint, response } = await send(false)
    expect(await response.text()).toBe('ok')
    expect(sent).toHaveLength(1)
    expect(learned).toEqual([`${endpoint.id.slice(-1)} success`])
    expect(ctx.facts).toMatchObject({ endpoint: endpoint.id, attempts: 1, upstreamMs: 0 })
  })

  it.each([
    ['network', 'upstream_failed'],
    ['timeout', 'upstream_timeout'],
    ['redirect', 'upstream_failed'],
    ['refused_address', 'upstream_failed'],
    ['cancelled', 'upstream_failed'],
  ] as const)('never sends twice what must not run twice (%s)', async (kind, code) => {
    const { send, sent } = upstreamsOver([fault(kind)])
    const refused = await send(false).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(refused).toMatchObject({ code })
    expect(String(refused)).toContain('"shop"')
    expect(String(refused)).not.toContain('secret')
    expect(sent).toHaveLength(1)
  })

  it('never sends twice what a 500 answered', async () => {
    const { send, sent, learned } = upstreamsOver([status(500)])
    expect((await send(false)).response.status).toBe(500)
    expect(sent).toHaveLength(1)
    expect(learned).toEqual([expect.stringContaining('failure')])
  })

  it('sends a read once more, to another endpoint, and leaves no body behind', async () => {
    const first = status(503)() as { kind: 'response'; response: Response }
    let isCancelled = false
    const body = new ReadableStream({
      cancel() {
        isCancelled = true
      },
    })
    const { status: code } = first.response
    const { send, sent, learned } = upstreamsOver([
      () => ({ kind: 'response', response: new Response(body, { status: code }) }),
      ok,
    ])
    expect((await send(true)).response.status).toBe(200)
    expect(new Set(sent).size).toBe(2)
    expect(learned.map((text) => text.split(' ')[1])).toEqual(['failure', 'success'])
    expect(isCancelled).toBe(true)
  })

  it('gives up after the second attempt', async () => {
    const { send, sent, ctx } = upstreamsOver([fault('network'), fault('timeout'), ok])
    await expect(send(true)).rejects.toMatchObject({
      code: 'upstream_timeout',
      message: 'The server "shop" did not answer within 1000 ms.',
    })
    expect(sent).toHaveLength(2)
    expect(ctx.facts).toMatchObject({ attempts: 2 })
  })

  it.each([
    ['redirect', [expect.stringContaining('failure')]],
    ['refused_address', []],
    ['cancelled', []],
  ] as const)(
    'does not ask again where asking again helps nobody (%s), and blames who is to blame',
    async (kind, blamed) => {
      const { send, sent, learned } = upstreamsOver([fault(kind)])
      await expect(send(true)).rejects.toMatchObject({ code: 'upstream_failed' })
      expect(sent).toHaveLength(1)
      expect(learned).toEqual(blamed)
    },
  )

  it('blames nobody for a bound of its own, and says that it is one', async () => {
    const { send, sent, learned } = upstreamsOver([fault('no_room')])
    await expect(send(true)).rejects.toMatchObject({
      code: 'upstream_unavailable',
      message: expect.stringContaining('The gateway has as many connections'),
      detail: { headers: { 'retry-after': '30' } },
    })
    expect(sent).toHaveLength(1)
    expect(learned).toEqual([])
  })

  it('keeps to the endpoint of a session, also when it is asked again', async () => {
    const { send, sent } = upstreamsOver([fault('network'), ok])
    await send(true, B)
    expect(sent).toEqual(['POST https://b.example/', 'POST https://b.example/'])
  })

  it('goes around an endpoint whose breaker is open', async () => {
    const { send, sent } = upstreamsOver([ok, ok, ok], [A])
    for (const _call of [1, 2, 3]) await send(false)
    expect(new Set(sent)).toEqual(new Set(['POST https://b.example/']))
  })

  it('sends nothing when every breaker is open, and says when to come back', async () => {
    const { send, sent } = upstreamsOver([], [A, B])
    await expect(send(true)).rejects.toMatchObject({
      code: 'upstream_unavailable',
      detail: { headers: { 'retry-after': '9' }, data: { retryAfterSeconds: 9 } },
    })
    expect(sent).toEqual([])
  })

  it('tells an endpoint that a session is over, unless it is gone itself', async () => {
    const { upstreams, sent } = upstreamsOver([fault('network')])
    await upstreams.close(server, A, 'up')
    await upstreams.close(server, EndpointId.parse(crypto.randomUUID()), 'up')
    expect(sent).toEqual(['DELETE https://a.example/'])
  })

  it.each(['success', 'failure'] as const)(
    'tells the breaker of a %s elsewhere, and gives what it came to',
    async (outcome) => {
      const { upstreams, learned, sent, ctx } = upstreamsOver([])
      const opened = await upstreams.open(ctx as never, { server, pinned: B }, async ({ url }) => ({
        url,
        outcome,
      }))
      expect(opened).toEqual({ url: 'https://b.example/', outcome })
      expect(learned).toEqual([`2 ${outcome}`])
      expect(ctx.facts).toEqual({ endpoint: B })
      expect(sent).toEqual([])
    },
  )

  it('tells the breaker nothing of what says nothing of the endpoint', async () => {
    const { upstreams, learned, ctx } = upstreamsOver([])
    await upstreams.open(ctx as never, { server }, async () => ({ outcome: undefined }))
    expect(learned).toEqual([])
  })

  it.each([404, 405])('has a handshake elsewhere looked at that HTTP %i refused', async (code) => {
    const { upstreams, doubted, ctx } = upstreamsOver([])
    const refused = { outcome: 'success' as const, status: code }
    await upstreams.open(ctx as never, { server, pinned: B }, async () => refused)
    expect(doubted).toEqual([`2 POST ${code}`])
  })

  it('has no handshake looked at that no status refused', async () => {
    const { upstreams, doubted, ctx } = upstreamsOver([])
    await upstreams.open(ctx as never, { server }, async () => ({ outcome: 'failure' as const }))
    expect(doubted).toEqual([])
  })

  it('runs nothing elsewhere while every breaker is open', async () => {
    const { upstreams, ctx } = upstreamsOver([], [A, B])
    let ran = 0
    const opening = upstreams.open(ctx as never, { server }, async () => {
      ran += 1
      return { outcome: undefined }
    })
    await expect(opening).rejects.toMatchObject({ code: 'upstream_unavailable' })
    expect(ran).toBe(0)
  })
})
