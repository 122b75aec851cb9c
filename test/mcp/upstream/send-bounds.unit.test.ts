import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  EndpointId,
  type OutboundFault,
  type OutboundRequest,
  type OutboundResult,
} from '../../../src/core/index.ts'
import { createPlaces } from '../../../src/mcp/upstream/choose-place.ts'
import { createUpstreams, type UpstreamCall } from '../../../src/mcp/upstream/send.ts'
import {
  createSendPolicies,
  DEFAULT_SENDING,
  type SendDefaults,
} from '../../../src/mcp/upstream/send-policy.ts'
import type { ServerRecord } from '../../../src/registry/index.ts'
import {
  type Breakers,
  createBulkhead,
  createLoad,
  type ResilienceSettings,
} from '../../../src/resilience/index.ts'

const [A, B] = ['1', '2'].map((digit) =>
  EndpointId.parse(`00000000-0000-4000-8000-00000000000${digit}`),
) as [EndpointId, EndpointId]

const serverWith = (resilience: ResilienceSettings, urls = ['a', 'b'], path = 'shop') =>
  ({
    ...{ id: `${path}-id`, tenant: 'acme', path, resilience, timeoutMs: 1_000, headers: [] },
    endpoints: [A, B]
      .slice(0, urls.length)
      .map((id, at) => ({ id, url: `https://${urls[at]}/`, weight: 1, health: 'healthy' })),
  }) as unknown as ServerRecord

const ok = (text = 'ok'): OutboundResult => ({ kind: 'response', response: new Response(text) })
const refused = (status: number, headers: Record<string, string> = {}): OutboundResult => ({
  kind: 'response',
  response: new Response('no', { status, headers }),
})
const fault = (kind: OutboundFault): OutboundResult => ({ kind: 'fault', fault: kind, message: '' })

/** Upstreams that answer when the test says so, or when they are aborted. */
function world(sending: Partial<SendDefaults> = {}, others = { inFlight: 0 }, more: object = {}) {
  const open: { host: string; signal: AbortSignal; answer: (result: OutboundResult) => void }[] = []
  const learned: string[] = []
  const behind: Promise<unknown>[] = []
  const openBreakers = new Set<EndpointId>()
  /** Their one probe is out. */
  const halfOpen = new Set<EndpointId>()
  const peeked: EndpointId[] = []
  const load = createLoad({
    events: { emit: () => undefined },
    object: () => ({ load: async () => ({ ...others }) }),
  })
  const breakers: Breakers = {
    peek(endpoint) {
      peeked.push(endpoint)
      return openBreakers.has(endpoint) ? 'open' : 'closed'
    },
    admitsAtOnce: (endpoint) => !halfOpen.has(endpoint) && breakers.peek(endpoint, 0) === 'closed',
    admit: async (_ctx, endpoint) =>
      openBreakers.has(endpoint) || halfOpen.has(endpoint)
        ? { kind: 'open', retryAfterSeconds: 9 }
        : { kind: 'closed' },
    record: (_ctx, endpoint, outcome) => learned.push(`${endpoint.slice(-1)} ${outcome}`),
    of: () => breakers,
    phase: async () => 'closed',
  }
  const outbound = {
    send: ({ url, signal = new AbortController().signal }: OutboundRequest) =>
      new Promise<OutboundResult>((resolve) => {
        const { host } = new URL(url)
        open.push({ host, signal, answer: resolve })
        signal.addEventListener('abort', () => resolve(fault('cancelled')))
      }),
  }
  const upstreams = createUpstreams({
    ...{ outbound, breakers, load, ...more },
    sending: { ...DEFAULT_SENDING, ...sending },
  })
  const clock = { at: 1_000_000 }
  function call(server: ServerRecord, part: Partial<UpstreamCall> = {}, principal = 'ann') {
    const leaving = new AbortController()
    const ctx = {
      requestId: 'r',
      clock: { now: () => clock.at },
      random: { fraction: () => 0, uuid: () => '', bytes: () => new Uint8Array() },
      signal: leaving.signal,
      facts: { principal } as Record<string, unknown>,
      waitUntil: (work: Promise<unknown>) => void behind.push(work),
      holdEvent: () => () => undefined,
    }
    const message = { method: 'POST' as const, headers: new Headers(), body: '{}' }
    const sent = upstreams.send(ctx as never, {
      ...{ server, ...message, canRetry: false, isJudged: true },
      ...part,
    })
    // A test that refuses looks at it later.
    sent.catch(() => undefined)
    return { sent, leave: () => leaving.abort(), ctx }
  }
  const sent = (count: number) => expect.poll(() => open.length, { interval: 1 }).toBe(count)
  const places = createPlaces({
    ...{ tenants: createBulkhead(), breakers, load },
    defaults: DEFAULT_SENDING,
  })
  return {
    places,
    halfOpen,
    open,
    learned,
    behind,
    load,
    clock,
    call,
    sent,
    openBreakers,
    peeked,
    upstreams,
  }
}

describe('a tenant with as many calls as it may have', () => {
  it('waits until one has ended, with its last byte', async () => {
    const { call, open, sent } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    const first = call(server)
    await sent(1)
    const second = call(server)
    open[0]?.answer(ok())
    const { end } = await first.sent
    expect(open).toHaveLength(1)
    end()
    await sent(2)
    open[1]?.answer(ok())
    expect(await (await second.sent).response.text()).toBe('ok')
  })

  it('gives its place back, and the call its seat, when what follows the headers throws', async () => {
    const recheckTransport = (): never => {
      throw new Error('a bug')
    }
    const { call, open, sent, load, clock } = world({ tenantConcurrent: 1 }, undefined, {
      recheckTransport,
    })
    const server = serverWith({ bulkhead: { maxConcurrent: 1, maxQueued: 0 } }, ['a'])
    const first = call(server)
    await sent(1)
    open[0]?.answer(refused(404))
    await expect(first.sent).rejects.toThrow('a bug')
    expect(load.inFlight(A, clock.at)).toBe(0)
    call(server)
    await sent(2)
  })

  it('gives its place back when a call fails, and when its caller leaves', async () => {
    const { call, open, sent } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    const first = call(server)
    await sent(1)
    open[0]?.answer(fault('network'))
    await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
    const second = call(server)
    await sent(2)
    second.leave()
    await expect(second.sent).rejects.toMatchObject({ code: 'upstream_failed' })
    call(server)
    await sent(3)
  })

  it('does not hold up messages that nothing answers, nor streams, nor other tenants', async () => {
    const { call, sent } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    call(server)
    await sent(1)
    const { isJudged: _isJudged, ...message } = { isJudged: undefined, body: 'a cancel' }
    call(server, { ...message, isJudged: undefined as never })
    await sent(2)
    call(server, { method: 'GET', isJudged: undefined as never })
    await sent(3)
    call({ ...server, tenant: 'other' } as ServerRecord)
    await sent(4)
  })

  it('lets a waiting caller go who leaves', async () => {
    const { call, open, sent, learned } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    call(server)
    await sent(1)
    const second = call(server)
    second.leave()
    await expect(second.sent).rejects.toMatchObject({
      code: 'no_capacity',
      detail: { headers: { 'retry-after': '1' }, data: { retryAfterSeconds: 1 } },
    })
    expect(open).toHaveLength(1)
    expect(learned).toEqual([])
  })
})

describe('an endpoint with as many calls as it may have', () => {
  const bulkhead = { maxConcurrent: 1, maxQueued: 2, queueMs: 60_000 }

  it('is passed over while another one has room, and then waited for', async () => {
    const { call, open, sent } = world()
    const server = serverWith({ bulkhead })
    call(server)
    call(server)
    await sent(2)
    expect(new Set(open.map(({ host }) => host))).toEqual(new Set(['a', 'b']))
    const third = call(server)
    const b = open.find(({ host }) => host === 'b')
    b?.answer(fault('network'))
    await sent(3)
    expect(open[2]?.host).toBe('b')
    open[2]?.answer(ok())
    await third.sent
  })

  it('keeps calls of a session waiting for their own endpoint', async () => {
    const { call, open, sent } = world()
    const server = serverWith({ bulkhead })
    const first = call(server, { pinned: A })
    await sent(1)
    call(server, { pinned: A })
    open[0]?.answer(ok())
    const { end } = await first.sent
    expect(open).toHaveLength(1)
    end()
    await sent(2)
    expect(open[1]?.host).toBe('a')
  })

  it('refuses with 503 who would wait behind too many, and its breaker hears nothing', async () => {
    const { call, sent, learned } = world()
    const server = serverWith({ bulkhead: { ...bulkhead, maxQueued: 0 } }, ['a'])
    call(server)
    await sent(1)
    await expect(call(server).sent).rejects.toMatchObject({
      code: 'no_capacity',
      message: 'The server "shop" has as many calls as it may have at once.',
    })
    expect(learned).toEqual([])
  })

  it('refuses who has waited long enough', async () => {
    const { call, sent } = world()
    const server = serverWith({ bulkhead: { ...bulkhead, queueMs: 1 } }, ['a'])
    call(server)
    await sent(1)
    await expect(call(server).sent).rejects.toMatchObject({ code: 'no_capacity' })
  })

  it('counts what the other isolates have told of', async () => {
    const { call, load, sent, open } = world()
    const server = serverWith({ bulkhead: { maxConcurrent: 2, maxQueued: 2, queueMs: 1 } })
    load.begin({} as never, A)
    for (const pinned of [A, B]) call(server, { pinned })
    await sent(2)
    call(server)
    await sent(3)
    expect(open.map(({ host }) => host)).toEqual(['a', 'b', 'b'])
    await expect(call(server).sent).rejects.toMatchObject({ code: 'no_capacity' })
  })

  it('is used again by the next call after those have left who had filled it elsewhere', async () => {
    const others = { inFlight: 0 }
    const { call, open, sent, clock, behind } = world({}, others)
    const server = serverWith({ bulkhead: { ...bulkhead, maxConcurrent: 3 } }, ['a'])
    others.inFlight = 2
    call(server)
    await sent(1)
    // The second hears of the others, and the third is kept out by them.
    call(server)
    await sent(2)
    await Promise.all(behind.splice(0))
    clock.at += 1_000
    const third = call(server)
    await expect.poll(() => behind.length).toBeGreaterThan(0)
    await Promise.all(behind.splice(0))
    expect(open).toHaveLength(2)
    others.inFlight = 0
    clock.at += 1_000
    // It asks again, and who waited before it is let in.
    call(server)
    await sent(3)
    open[2]?.answer(ok())
    expect((await third.sent).response.status).toBe(200)
    expect(open).toHaveLength(3)
  })

  it('says that the server fails, where every breaker is open', async () => {
    const { call, openBreakers } = world()
    openBreakers.add(A).add(B)
    await expect(call(serverWith({ bulkhead })).sent).rejects.toMatchObject({
      code: 'upstream_unavailable',
    })
  })

  it('is waited for when the breakers of the others are open', async () => {
    const { call, open, openBreakers, sent } = world()
    const server = serverWith({ bulkhead })
    openBreakers.add(B)
    call(server)
    await sent(1)
    call(server)
    open[0]?.answer(fault('network'))
    await sent(2)
    expect(open[1]?.host).toBe('a')
  })
})

describe('an endpoint that has room, and whose probe went to someone else', () => {
  it('leaves its call in line for the others', async () => {
    const { call, open, sent, halfOpen } = world()
    const server = serverWith({ bulkhead: { maxConcurrent: 1, maxQueued: 2, queueMs: 60_000 } })
    call(server, { pinned: A })
    await sent(1)
    halfOpen.add(B)
    const second = call(server)
    open[0]?.answer(fault('network'))
    await sent(2)
    expect(open[1]?.host).toBe('a')
    open[1]?.answer(ok())
    expect((await second.sent).response.status).toBe(200)
  })

  it('is refused as unavailable where there are no others', async () => {
    const { call, halfOpen } = world()
    halfOpen.add(A)
    const server = serverWith({ bulkhead: { maxConcurrent: 1 } }, ['a'])
    await expect(call(server).sent).rejects.toMatchObject({ code: 'upstream_unavailable' })
  })
})

describe('a choice', () => {
  it.each([{}, { bulkhead: { maxConcurrent: 1 } }])(
    'is no promise while nobody is asked (%o)',
    (resilience) => {
      const { places, call } = world()
      const server = serverWith(resilience)
      const { ctx } = call(server, { pinned: B })
      const where = {
        call: { server, isJudged: true as const },
        tried: new Set<EndpointId>([B]),
        policy: createSendPolicies(DEFAULT_SENDING)(server),
      }
      expect(places.choose(ctx as never, where)).toMatchObject({ endpoint: { id: A } })
    },
  )
})

describe('what is under way', () => {
  it('is counted until the end of the answer, and streams are not', async () => {
    const { call, open, load, clock, sent } = world()
    const server = serverWith({}, ['a'])
    const first = call(server)
    call(server, { method: 'GET', isJudged: undefined as never })
    await sent(2)
    expect(load.inFlight(A, clock.at)).toBe(1)
    clock.at += 7
    open[0]?.answer(ok())
    const { end } = await first.sent
    expect(load.inFlight(A, clock.at)).toBe(1)
    end()
    end()
    expect(load.inFlight(A, clock.at)).toBe(0)
    expect(load.latencyMs(A, clock.at)).toBe(7)
  })
})

describe('a deadline', () => {
  it('ends a call that has no headers: timeout, the upstream aborted, its breaker told', async () => {
    const { call, open, learned, load, clock } = world()
    const { sent } = call(serverWith({}, ['a']), { deadline: { ms: 5 } })
    await expect(sent).rejects.toMatchObject({
      code: 'upstream_timeout',
      message: 'The server "shop" did not finish within 5 ms.',
    })
    expect(open[0]?.signal.aborted).toBe(true)
    expect(learned).toEqual(['1 failure'])
    expect(load.inFlight(A, clock.at)).toBe(0)
  })

  it('cuts off an answer that began in time', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { call, open } = world()
    const first = call(serverWith({}, ['a']), { deadline: { ms: 30 } })
    await vi.advanceTimersByTimeAsync(29)
    const body = new ReadableStream({ start: (out) => out.enqueue(new Uint8Array([1])) })
    open[0]?.answer({ kind: 'response', response: new Response(body) })
    const { response, lateAfterMs } = await first.sent
    expect(lateAfterMs?.()).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await expect(response.arrayBuffer()).rejects.toThrow()
    expect(lateAfterMs?.()).toBe(30)
  })

  it('is not outlasted by the pause before a retry', async () => {
    const { call, open, sent, clock } = world()
    const first = call(serverWith({}, ['a']), { deadline: { ms: 60_000 }, canRetry: true })
    await sent(1)
    clock.at += 59_500
    open[0]?.answer(refused(503, { 'retry-after': '1' }))
    expect((await first.sent).response.status).toBe(503)
    expect(open).toHaveLength(1)
  })

  it('blames nobody for a caller who leaves', async () => {
    const { call, learned, sent } = world()
    const first = call(serverWith({}, ['a']), { deadline: { ms: 60_000 } })
    await sent(1)
    first.leave()
    await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
    expect(learned).toEqual(['1 abandoned'])
  })
})

describe('a retry', () => {
  it.each([
    [1, 1],
    [3, 3],
  ])('is made until %i attempts were made', async (maxAttempts, attempts) => {
    const { call, open, sent } = world()
    const server = serverWith({ retries: { maxAttempts } }, ['a'])
    const first = call(server, { canRetry: true })
    for (let count = 1; count <= attempts; count += 1) {
      await sent(count)
      open[count - 1]?.answer(fault('network'))
    }
    await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
    expect(open).toHaveLength(attempts)
  })

  it.each([{ budgetPercent: 0 }, { budgetPercent: 1 }])(
    'is paid by the budget of its server alone (%o)',
    async (retries) => {
      const { call, open } = world()
      const fail = async (server: ServerRecord) => {
        const before = open.length
        const first = call(server, { canRetry: true })
        for (let at = before; at < before + 2; at += 1) {
          await Promise.race([expect.poll(() => open.length).toBe(at + 1), first.sent]).catch(
            () => undefined,
          )
          open[at]?.answer(fault('network'))
        }
        await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
        return open.length - before
      }
      const server = serverWith({ retries }, ['a'])
      const attempts: number[] = []
      for (let count = 0; count < 7; count += 1) attempts.push(await fail(server))
      const floor = retries.budgetPercent === 0 ? 0 : 5
      expect(attempts.filter((made) => made === 2)).toHaveLength(floor)
      expect(await fail(serverWith({}, ['a'], 'other'))).toBe(2)
      // The record was loaded anew: its budget is the same.
      expect(await fail(serverWith({ retries }, ['a']))).toBe(1)
    },
  )

  it('waits for as long as a 503 asks, where there is nobody else, and not for long', async () => {
    const { call, open, sent } = world()
    const server = serverWith({}, ['a'])
    const patient = call(server, { canRetry: true })
    await sent(1)
    open[0]?.answer(refused(503, { 'retry-after': '60' }))
    expect((await patient.sent).response.status).toBe(503)
    expect(open).toHaveLength(1)

    const elsewhere = call(serverWith({}, ['a', 'b'], 'two'), { canRetry: true })
    await sent(2)
    open[1]?.answer(refused(503, { 'retry-after': '60' }))
    await sent(3)
    open[2]?.answer(ok())
    expect((await elsewhere.sent).response.status).toBe(200)
    expect(open[2]?.host).not.toBe(open[1]?.host)
  })

  it('keeps nothing of the failed attempt while it pauses', async () => {
    const { call, open, sent, load, clock, behind } = world()
    const bulkhead = { maxConcurrent: 1, maxQueued: 0 }
    const server = serverWith({ bulkhead }, ['a'])
    let isCancelled = false
    const body = new ReadableStream({
      cancel() {
        isCancelled = true
      },
    })
    const first = call(server, { canRetry: true })
    await sent(1)
    const response = new Response(body, { status: 503, headers: { 'retry-after': '2' } })
    open[0]?.answer({ kind: 'response', response })
    await expect.poll(() => load.inFlight(A, clock.at), { interval: 1 }).toBe(0)
    await Promise.all(behind)
    expect(isCancelled).toBe(true)
    // The seat is free for somebody else.
    call(server)
    await sent(2)
    first.leave()
    await expect(first.sent).rejects.toMatchObject({ code: 'upstream_failed' })
  })

  it('is not waited for by a caller who leaves: its tenant has the room at once', async () => {
    const { call, open, sent, behind } = world({ tenantConcurrent: 1 })
    const server = serverWith({}, ['a'])
    const first = call(server, { canRetry: true })
    await sent(1)
    open[0]?.answer(refused(503, { 'retry-after': '2' }))
    await expect.poll(() => behind.length, { interval: 1 }).toBe(1)
    const second = call(server)
    first.leave()
    await sent(2)
    expect(open).toHaveLength(2)
    open[1]?.answer(ok())
    expect((await second.sent).response.status).toBe(200)
  })

  it.each([501, 429, 404])('is not made for HTTP %i, which is no failure', async (status) => {
    const { call, open, sent, learned } = world()
    const first = call(serverWith({}, ['a']), { canRetry: true })
    await sent(1)
    open[0]?.answer(refused(status))
    expect((await first.sent).response.status).toBe(status)
    expect(open).toHaveLength(1)
    expect(learned).toEqual(['1 success'])
  })
})

describe('a hedged read', () => {
  const hedged = { hedgeAfterMs: 10 }

  it('is sent to another endpoint as well, and the loser is no failure', async () => {
    const { call, open, learned, behind, load, clock, sent } = world()
    const first = call(serverWith(hedged), { canRetry: true })
    await sent(2)
    const [slow, fast] = open
    expect(slow?.host).not.toBe(fast?.host)
    fast?.answer(ok('second'))
    const { response, endpoint, end } = await first.sent
    expect(await response.text()).toBe('second')
    await Promise.all(behind)
    expect(slow?.signal.aborted).toBe(true)
    const loser = endpoint.id === A ? B : A
    expect(learned).toEqual([`${loser.slice(-1)} abandoned`])
    expect(first.ctx.facts).toMatchObject({ endpoint: endpoint.id, attempts: 2 })
    expect(load.inFlight(loser, clock.at)).toBe(0)
    expect(load.inFlight(endpoint.id, clock.at)).toBe(1)
    end()
    expect(load.inFlight(endpoint.id, clock.at)).toBe(0)
  })

  it('cancels the body of an answer that came second', async () => {
    const { call, open, behind, sent } = world()
    const first = call(serverWith(hedged), { canRetry: true })
    await sent(2)
    let isCancelled = false
    const body = new ReadableStream({
      cancel() {
        isCancelled = true
      },
    })
    open[0]?.answer(ok('first'))
    open[1]?.answer({ kind: 'response', response: new Response(body) })
    expect(await (await first.sent).response.text()).toBe('first')
    await Promise.all(behind)
    expect(isCancelled).toBe(true)
  })

  it.each<[string, ServerRecord, Partial<UpstreamCall>]>([
    ['what must not run twice', serverWith(hedged), { canRetry: false }],
    ['what is bound to an endpoint', serverWith(hedged), { canRetry: true, pinned: A }],
    ['a server of one endpoint', serverWith(hedged, ['a']), { canRetry: true }],
    ['a stream', serverWith(hedged), { canRetry: true, method: 'GET' }],
    [
      'a server without budget',
      serverWith({ ...hedged, retries: { budgetPercent: 0 } }, ['a', 'b'], 'poor'),
      { canRetry: true },
    ],
  ])('is never %s', async (_what, server, part) => {
    const { call, open, sent } = world()
    const first = call(server, part)
    await sent(1)
    // It began later: when it was hedged, the first had had its chance.
    call(serverWith(hedged, ['c', 'd'], 'control'), { canRetry: true })
    await sent(3)
    open[0]?.answer(ok())
    await first.sent
    expect(open.filter(({ host }) => host === 'a' || host === 'b')).toHaveLength(1)
  })

  it('is not sent where the other endpoint fails', async () => {
    const { call, open, openBreakers, peeked } = world()
    openBreakers.add(B)
    call(serverWith({ hedgeAfterMs: 1 }), { canRetry: true })
    // Once to choose the first endpoint, once to look for another one.
    await expect.poll(() => peeked.filter((id) => id === B), { interval: 1 }).toHaveLength(2)
    expect(open.map(({ host }) => host)).toEqual(['a'])
  })
})
