import { describe, expect, it } from 'vitest'
import { EndpointId, ServerId } from '../../src/core/index.ts'
import type { GatewayEvent } from '../../src/observability/index.ts'
import {
  acquireProbe,
  applyOutcomes,
  type BreakerConfig,
  CLOSED,
  changeBetween,
  type Outcomes,
  phaseOf,
} from '../../src/resilience/breaker.ts'
import {
  type BreakerState,
  chooseEndpoint,
  createBreakers,
  createRotations,
  DEFAULT_BREAKER,
  type EndpointBreakers,
} from '../../src/resilience/index.ts'

const T = 1_000_000
const { failureThreshold, openMs } = DEFAULT_BREAKER
const endpointOf = (index: number): EndpointId =>
  EndpointId.parse(`00000000-0000-4000-8000-${String(index).padStart(12, '0')}`)
const SERVER = ServerId.parse('00000000-0000-4000-8000-0000000000aa')
const one = endpointOf(1)
const two = endpointOf(2)

interface Asking {
  readonly now: number
  readonly config?: BreakerConfig
}

function changeOf(before: BreakerState, after: BreakerState) {
  const change = changeBetween(before, after)
  return change === undefined ? {} : { change }
}

/** The real reducer behind a fake object per endpoint, and any number of isolates before it. */
function world() {
  const states = new Map<EndpointId, BreakerState>()
  const events: GatewayEvent[] = []
  const behind: Promise<unknown>[] = []
  const calls: string[] = []
  const world = { now: T, isDown: false }
  const object = (endpoint: EndpointId) => {
    const read = () => states.get(endpoint) ?? CLOSED
    const answer = async (name: string): Promise<void> => {
      calls.push(name)
      await Promise.resolve()
      if (world.isDown) throw new Error('the object is away')
    }
    return {
      async report({ now, config, ...outcomes }: Outcomes & Asking) {
        await answer('report')
        const before = read()
        const state = applyOutcomes(before, outcomes, config ?? DEFAULT_BREAKER, now)
        states.set(endpoint, state)
        return { state, ...changeOf(before, state) }
      },
      async acquireProbe({ now, config }: Asking) {
        await answer('acquireProbe')
        const before = read()
        const probe = acquireProbe(before, config ?? DEFAULT_BREAKER, now)
        states.set(endpoint, probe.state)
        return { ...probe, ...changeOf(before, probe.state) }
      },
      async phase({ now }: Asking) {
        await answer('phase')
        return phaseOf(read(), DEFAULT_BREAKER, now)
      },
    }
  }
  const isolate = () =>
    createBreakers({ config: DEFAULT_BREAKER, events: { emit: (e) => events.push(e) }, object })
  const ctx = {
    clock: { now: () => world.now },
    random: { fraction: () => 0, uuid: () => '', bytes: (n: number) => new Uint8Array(n) },
    requestId: 'request-1',
    waitUntil: (work: Promise<unknown>) => void behind.push(work),
  }
  const settle = () => Promise.all(behind.splice(0))
  const fail = async (breakers: EndpointBreakers, times: number, endpoint = one): Promise<void> => {
    for (let count = 0; count < times; count += 1) {
      breakers.record(ctx, endpoint, 'failure')
      await settle()
    }
  }
  return { world, events, calls, isolate, ctx, settle, fail, states }
}

describe('the breakers of an isolate', () => {
  it('make no object call while an endpoint answers', async () => {
    const { isolate, ctx, calls } = world()
    const breakers = isolate()
    for (let call = 0; call < 100; call += 1) {
      expect(await breakers.admit(ctx, one)).toEqual({ kind: 'closed' })
      breakers.record(ctx, one, 'success')
    }
    expect(calls).toEqual([])
  })

  it('tell every failure at once, and the first success after them', async () => {
    const { isolate, ctx, calls, settle, fail, states } = world()
    const breakers = isolate()
    await fail(breakers, 2)
    expect(calls).toEqual(['report', 'report'])
    expect(states.get(one)).toMatchObject({ kind: 'closed', failures: 2 })
    breakers.record(ctx, one, 'success')
    await settle()
    breakers.record(ctx, one, 'success')
    expect(calls.length).toBe(3)
    expect(states.get(one)).toMatchObject({ kind: 'closed', failures: 0 })
  })

  it('refuse calls while open, without asking anyone', async () => {
    const { isolate, ctx, calls, fail, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    const before = calls.length
    w.now += 500
    expect(await breakers.admit(ctx, one)).toEqual({ kind: 'open', retryAfterSeconds: 30 })
    expect(breakers.peek(one, w.now)).toBe('open')
    breakers.record(ctx, one, 'failure')
    expect(calls.length).toBe(before)
    expect(await breakers.admit(ctx, two)).toEqual({ kind: 'closed' })
  })

  it('learn from one failure that others have opened the breaker', async () => {
    const { isolate, ctx, fail } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold - 1)
    await fail(second, 1)
    expect((await second.admit(ctx, one)).kind).toBe('open')
    expect((await first.admit(ctx, one)).kind).toBe('closed')
    await fail(first, 1)
    expect((await first.admit(ctx, one)).kind).toBe('open')
  })

  it('let one probe through among all isolates, and close for all on its success', async () => {
    const { isolate, ctx, fail, settle, world: w } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold)
    await fail(second, 1)
    w.now += openMs
    expect(first.peek(one, w.now)).toBe('half_open')
    const answers = await Promise.all(
      [first, second, first, second].map((breakers) => breakers.admit(ctx, one)),
    )
    expect(answers.map(({ kind }) => kind).sort()).toEqual(['open', 'open', 'open', 'probe'])
    first.record(ctx, one, 'success', answers.find(({ probe }) => probe)?.probe)
    await settle()
    expect(await first.admit(ctx, one)).toEqual({ kind: 'closed' })
    w.now += 1_000
    expect(await second.admit(ctx, one)).toEqual({ kind: 'closed' })
  })

  it('ask again only after a second when the probe went to someone else', async () => {
    const { isolate, ctx, fail, calls, world: w } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold)
    await fail(second, 1)
    w.now += openMs
    await first.admit(ctx, one)
    await second.admit(ctx, one)
    const before = calls.length
    expect(second.peek(one, w.now)).toBe('open')
    expect(await second.admit(ctx, one)).toEqual({ kind: 'open', retryAfterSeconds: 1 })
    expect(calls.length).toBe(before)
    expect(second.peek(one, w.now + 1_000)).toBe('half_open')
  })

  it('open again when the probe fails', async () => {
    const { isolate, ctx, fail, settle, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    w.now += openMs
    const { probe } = await breakers.admit(ctx, one)
    breakers.record(ctx, one, 'failure', probe)
    await settle()
    expect(await breakers.admit(ctx, one)).toEqual({ kind: 'open', retryAfterSeconds: 60 })
  })

  it('decide alone while the object is away, and say so', async () => {
    const { isolate, ctx, fail, events, world: w } = world()
    w.isDown = true
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    expect((await breakers.admit(ctx, one)).kind).toBe('open')
    w.now += openMs
    expect(await breakers.admit(ctx, one)).toMatchObject({ kind: 'probe' })
    expect((await breakers.admit(ctx, one)).kind).toBe('open')
    const changes = events.flatMap((event) =>
      event.type === 'breaker_changed' ? [event.phase] : [],
    )
    expect(changes).toEqual(['open', 'half_open'])
    expect(events.length).toBe(failureThreshold + 1 + 1 + changes.length)
    expect(events[0]).toEqual({
      type: 'breaker_unavailable',
      requestId: 'request-1',
      endpoint: one,
    })
  })

  it('believe the answer to the last report, not one that came late', async () => {
    const { ctx } = world()
    const answers: ((answer: { state: BreakerState }) => void)[] = []
    const breakers = createBreakers({
      config: DEFAULT_BREAKER,
      events: { emit: () => undefined },
      object: () => ({
        report: () => new Promise((resolve) => void answers.push(resolve)),
        acquireProbe: () => Promise.reject(new Error('unused')),
        phase: () => Promise.reject(new Error('unused')),
      }),
    })
    breakers.record(ctx, one, 'failure')
    breakers.record(ctx, one, 'failure')
    answers[1]?.({ state: { kind: 'open', openedAt: T, openings: 1 } })
    await Promise.resolve()
    answers[0]?.({ state: { kind: 'closed', failures: 1, window: [] } })
    await Promise.resolve()
    expect(breakers.peek(one, T)).toBe('open')
  })

  it('tell successes with the next failure, without a call for each', async () => {
    const { isolate, ctx, settle, calls, states, world: w } = world()
    const breakers = isolate()
    for (let call = 0; call < 50; call += 1) breakers.record(ctx, one, 'success')
    expect(calls).toEqual([])
    breakers.record(ctx, one, 'failure')
    await settle()
    expect(states.get(one)).toEqual({
      kind: 'closed',
      failures: 1,
      window: [{ at: w.now, successes: 50, failures: 1 }],
    })
  })

  it('do not tell successes that are older than the window', async () => {
    const { isolate, ctx, settle, states, world: w } = world()
    const breakers = isolate()
    const quarter = DEFAULT_BREAKER.windowMs / 4
    for (let call = 0; call < 8; call += 1) {
      breakers.record(ctx, one, 'success')
      w.now += quarter
    }
    breakers.record(ctx, one, 'failure')
    await settle()
    const state = states.get(one)
    const told = state?.kind === 'closed' ? state.window[0]?.successes : undefined
    expect(told).toBe(2)
  })

  it('open for what fails too often though never in a row', async () => {
    const { isolate, ctx, settle, fail } = world()
    const breakers = isolate()
    for (let call = 0; call < 9; call += 1) {
      breakers.record(ctx, one, 'success')
      await fail(breakers, 1)
    }
    breakers.record(ctx, one, 'success')
    await settle()
    expect(breakers.peek(one, T)).toBe('closed')
    await fail(breakers, 1)
    expect(breakers.peek(one, T)).toBe('open')
  })

  it('go by the settings of the server, also when told by who does not know it', async () => {
    const { isolate, ctx, fail } = world()
    const breakers = isolate()
    const server = {
      tenant: 'acme',
      path: 'shop',
      resilience: { breaker: { failureThreshold: 2 } },
    }
    const own = breakers.of(server)
    expect(breakers.of(server)).toBe(own)
    expect(await own.admit(ctx, one)).toEqual({ kind: 'closed' })
    await fail(breakers, 2)
    expect(own.peek(one, T)).toBe('open')
    await fail(breakers, 4, two)
    expect(breakers.peek(two, T)).toBe('closed')
  })

  it('say once for all isolates that a breaker changed', async () => {
    const { isolate, ctx, events, settle, world: w } = world()
    const server = { tenant: 'acme', path: 'shop', resilience: {} }
    const [first, second] = [isolate().of(server), isolate().of(server)]
    for (const breakers of [first, second]) await breakers.admit(ctx, one)
    for (let count = 0; count < failureThreshold; count += 1) {
      for (const breakers of [first, second]) breakers.record(ctx, one, 'failure')
      await settle()
    }
    w.now += openMs
    const answers = await Promise.all([first.admit(ctx, one), second.admit(ctx, one)])
    first.record(ctx, one, 'success', answers.find(({ probe }) => probe)?.probe)
    await settle()
    const of = { type: 'breaker_changed', tenant: 'acme', server: 'shop', endpoint: one }
    expect(events).toMatchObject([
      { ...of, phase: 'open' },
      { ...of, phase: 'half_open' },
      { ...of, phase: 'closed' },
    ])
    expect(events).toHaveLength(3)
  })

  it('give the permit of a probe back whose caller left', async () => {
    const { isolate, ctx, fail, settle, calls, world: w } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold)
    await fail(second, 1)
    w.now += openMs
    const { probe } = await first.admit(ctx, one)
    expect(probe).toBeDefined()
    first.record(ctx, one, 'abandoned', probe)
    await settle()
    expect(await second.admit(ctx, one)).toMatchObject({ kind: 'probe' })
    const before = calls.length
    // Once: what follows it speaks of a permit that is someone else's now.
    for (const outcome of ['abandoned', 'success', 'failure'] as const) {
      first.record(ctx, one, outcome, probe)
    }
    await settle()
    expect(calls.length).toBe(before)
  })

  it.each(['abandoned', 'success', 'failure'] as const)(
    'leave a probe its permit when a call of before ends (%s)',
    async (outcome) => {
      const { isolate, ctx, fail, settle, states, calls, world: w } = world()
      const [first, unaware] = [isolate(), isolate()]
      expect(first.admitsAtOnce(one, w.now)).toBe(true)
      await fail(first, failureThreshold)
      w.now += openMs
      const { probe } = await first.admit(ctx, one)
      const half = states.get(one)
      expect(half).toMatchObject({ kind: 'half_open', probes: 1 })
      const before = calls.length
      first.record(ctx, one, outcome)
      await settle()
      expect(calls.length).toBe(before)
      // An isolate that still takes it for closed tells the object, which knows better.
      unaware.record(ctx, one, 'failure')
      await settle()
      expect(states.get(one)).toEqual(half)
      expect((await first.admit(ctx, one)).kind).toBe('open')
      first.record(ctx, one, 'success', probe)
      await settle()
      expect(states.get(one)).toEqual(CLOSED)
    },
  )

  it('do not listen to the probe of an opening that is over', async () => {
    const { isolate, ctx, fail, settle, states, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    w.now += openMs
    const lost = await breakers.admit(ctx, one)
    w.now += openMs
    const second = await breakers.admit(ctx, one)
    breakers.record(ctx, one, 'failure', second.probe)
    await settle()
    w.now += 2 * openMs
    const third = await breakers.admit(ctx, one)
    expect(third.kind).toBe('probe')
    const half = states.get(one)
    breakers.record(ctx, one, 'success', lost.probe)
    await settle()
    expect(states.get(one)).toEqual(half)
  })

  it('forget the endpoints they have not used for longest', async () => {
    const { isolate, ctx, fail, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold)
    for (let index = 10; index < 2_009; index += 1) await breakers.admit(ctx, endpointOf(index))
    expect(breakers.peek(one, w.now)).toBe('open')
    await breakers.admit(ctx, two)
    expect(breakers.peek(one, w.now)).toBe('closed')
  })
})

describe('chooseEndpoint', () => {
  const endpoints = [
    { id: one, weight: 1, health: 'healthy' },
    { id: two, weight: 1, health: 'healthy' },
  ] as const
  const plan = {
    load: { inFlight: () => 0, latencyMs: () => undefined },
    settings: { balancer: 'random' },
    server: SERVER,
    rotations: createRotations(),
  } as const
  const choose = (breakers: EndpointBreakers, ctx: Parameters<typeof chooseEndpoint>[0]) =>
    chooseEndpoint(ctx, { ...plan, breakers, endpoints })

  it('asks nobody and makes no promise while breakers are closed', () => {
    const { isolate, ctx, calls } = world()
    const breakers = isolate()
    const [only] = endpoints
    const choice = chooseEndpoint(ctx, { ...plan, breakers, endpoints: [only] })
    expect(choice).toEqual({ kind: 'endpoint', endpoint: only })
    expect(choose(breakers, ctx)).toEqual({ kind: 'endpoint', endpoint: only })
    expect(calls).toEqual([])
  })

  it('takes another endpoint when the half-open one has no probe left', async () => {
    const { isolate, ctx, fail, world: w } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold)
    await fail(second, 1)
    expect(await choose(first, ctx)).toMatchObject({ endpoint: { id: two } })
    w.now += openMs
    expect(await choose(first, ctx)).toMatchObject({
      endpoint: endpoints[0],
      probe: { opening: 1 },
    })
    expect(await choose(second, ctx)).toEqual({ kind: 'endpoint', endpoint: endpoints[1] })
  })

  it('says how long until the first breaker lets a call through when all are open', async () => {
    const { isolate, ctx, fail, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold, one)
    w.now += 10_000
    await fail(breakers, failureThreshold, two)
    expect(await choose(breakers, ctx)).toEqual({ kind: 'unavailable', retryAfterSeconds: 20 })
  })

  it('has nothing to choose from an empty list', async () => {
    const { isolate, ctx } = world()
    const none = { ...plan, breakers: isolate(), endpoints: [] } as const
    expect(await chooseEndpoint(ctx, none)).toEqual({ kind: 'unavailable', retryAfterSeconds: 1 })
  })
})
