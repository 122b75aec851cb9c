import { describe, expect, it } from 'vitest'
import {
  acquireProbe,
  applyOutcomes,
  type BreakerState,
  breakerConfigOf,
  CLOSED,
  DEFAULT_BREAKER,
  openForMs,
  openMsOf,
  phaseOf,
} from '../../src/resilience/breaker.ts'

const config = { ...DEFAULT_BREAKER, failureThreshold: 3, openMs: 1_000, maxOpenMs: 8_000 }
const T = 50_000
/** As its probe tells it, where it is not closed. */
const fail = (state: BreakerState, now = T, failures = 1) =>
  applyOutcomes(state, { successes: 0, failures, ...probeOf(state) }, config, now)
const succeed = (state: BreakerState, now = T) =>
  applyOutcomes(state, { successes: 1, failures: 0, ...probeOf(state) }, config, now)
const probeOf = (state: BreakerState) =>
  state.kind === 'closed' ? {} : { opening: state.openings }
const open: BreakerState = { kind: 'open', openedAt: T, openings: 1 }

describe('the breaker', () => {
  it('waits for no clock that went back, and for those of others that are behind', () => {
    const later = { kind: 'open', openedAt: T + 3_600_000, openings: 1 } as const
    expect(phaseOf(later, config, T)).toBe('half_open')
    expect(acquireProbe(later, config, T)).toMatchObject({ isGranted: true })
    expect(phaseOf({ ...later, openedAt: T + 5_000 }, config, T)).toBe('open')
    const probed = {
      kind: 'half_open',
      probes: 1,
      lastProbeAt: T + 3_600_000,
      openings: 1,
    } as const
    expect(acquireProbe(probed, config, T)).toMatchObject({
      isGranted: true,
      state: { probes: 1, lastProbeAt: T },
    })
    expect(acquireProbe({ ...probed, lastProbeAt: T + 5_000 }, config, T).isGranted).toBe(false)
  })

  it('opens after consecutive failures only', () => {
    const twice = fail(fail(CLOSED))
    expect(twice).toMatchObject({ kind: 'closed', failures: 2 })
    expect(succeed(twice)).toMatchObject({ kind: 'closed', failures: 0 })
    expect(fail(twice)).toEqual(open)
    expect(fail(CLOSED, T, 3)).toEqual(open)
  })

  it('takes the successes of a mixed report to have come first', () => {
    const outcomes = { successes: 4, failures: 2 }
    const before = { kind: 'closed', failures: 2, window: [] } as const
    expect(applyOutcomes(before, outcomes, config, T)).toMatchObject({
      kind: 'closed',
      failures: 2,
    })
  })

  it('stays open for its time, whatever late outcomes say', () => {
    expect(phaseOf(open, config, T + 999)).toBe('open')
    expect(succeed(open, T + 999)).toEqual(open)
    expect(fail(open, T + 999)).toEqual(open)
    expect(openForMs(open, config, T + 400)).toBe(600)
    expect(acquireProbe(open, config, T + 400)).toEqual({
      state: open,
      isGranted: false,
      retryAfterMs: 600,
    })
  })

  it('is half open after its time and gives out one probe', () => {
    expect(phaseOf(open, config, T + 1_000)).toBe('half_open')
    const first = acquireProbe(open, config, T + 1_000)
    expect(first).toMatchObject({ isGranted: true, state: { kind: 'half_open', probes: 1 } })
    const second = acquireProbe(first.state, config, T + 1_400)
    expect(second).toEqual({ state: first.state, isGranted: false, retryAfterMs: 29_600 })
  })

  it('gives out as many probes as it has permits', () => {
    const two = { ...config, halfOpenPermits: 2 }
    const first = acquireProbe(open, two, T + 1_000)
    const second = acquireProbe(first.state, two, T + 1_001)
    expect(second.isGranted).toBe(true)
    expect(acquireProbe(second.state, two, T + 1_002).isGranted).toBe(false)
  })

  it('closes on a probe that succeeds and opens again on one that fails', () => {
    const { state } = acquireProbe(open, config, T + 1_000)
    expect(succeed(state, T + 1_100)).toEqual(CLOSED)
    expect(fail(state, T + 1_100)).toEqual({ kind: 'open', openedAt: T + 1_100, openings: 2 })
  })

  it('stays open twice as long after each probe that fails, up to its most', () => {
    let state = fail(CLOSED, T, 3)
    let now = T
    const waits: number[] = []
    for (let probe = 0; probe < 6; probe += 1) {
      waits.push(openForMs(state, config, now))
      now += openForMs(state, config, now)
      state = fail(acquireProbe(state, config, now).state, now)
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 8_000])
    const closed = succeed(acquireProbe(state, config, now + 8_000).state, now + 8_000)
    expect(openForMs(fail(closed, now + 9_000, 3), config, now + 9_000)).toBe(1_000)
  })

  it.each([undefined, 1])('listens to nobody but its probes (opening %s)', (opening) => {
    const half = { kind: 'half_open', probes: 1, lastProbeAt: T, openings: 2 } as const
    const of = opening === undefined ? {} : { opening }
    for (const outcomes of [
      { successes: 1, failures: 0 },
      { successes: 0, failures: 1 },
      { successes: 0, failures: 0, abandoned: 1 },
    ]) {
      expect(applyOutcomes(half, { ...outcomes, ...of }, config, T)).toBe(half)
    }
  })

  it('gives the permit of an abandoned probe back', () => {
    const { state } = acquireProbe(open, config, T + 1_000)
    const outcomes = { successes: 0, failures: 0, abandoned: 1, opening: 1 }
    const left = applyOutcomes(state, outcomes, config, T + 1_001)
    expect(acquireProbe(left, config, T + 1_002).isGranted).toBe(true)
    expect(applyOutcomes(left, outcomes, config, T + 1_003)).toMatchObject({ probes: 0 })
  })

  it('opens when enough of enough calls fail within the window, in whatever order', () => {
    const rated = { ...config, failureThreshold: 1_000, failurePercent: 40, minCalls: 10 }
    let state: BreakerState = CLOSED
    const step = (successes: number, failures: number, now: number) => {
      state = applyOutcomes(state, { successes, failures }, rated, now)
    }
    for (let call = 0; call < 4; call += 1) step(1, 1, T + call)
    expect(state.kind).toBe('closed')
    step(1, 1, T + 5)
    expect(state.kind).toBe('open')
  })

  it('forgets what is older than the window', () => {
    const rated = { ...config, failureThreshold: 1_000, failurePercent: 40, minCalls: 10 }
    const nine = applyOutcomes(CLOSED, { successes: 0, failures: 9 }, rated, T)
    const later = T + rated.windowMs
    expect(applyOutcomes(nine, { successes: 0, failures: 1 }, rated, later).kind).toBe('closed')
    expect(applyOutcomes(nine, { successes: 0, failures: 1 }, rated, later - 1).kind).toBe('open')
  })

  it('takes the numbers of a server over those of the deployment', () => {
    const mine = breakerConfigOf(config, { openMs: 20_000, failurePercent: undefined })
    expect(mine).toEqual({ ...config, openMs: 20_000, maxOpenMs: 20_000 })
    expect(openMsOf(5, mine)).toBe(20_000)
  })

  it('gives the probe to someone else when nobody reported it', () => {
    const { state } = acquireProbe(open, config, T + 1_000)
    expect(acquireProbe(state, config, T + 30_999).isGranted).toBe(false)
    expect(acquireProbe(state, config, T + 31_000)).toMatchObject({
      isGranted: true,
      state: { probes: 1, lastProbeAt: T + 31_000 },
    })
  })

  it('survives storage and RPC', () => {
    const { state } = acquireProbe(open, config, T + 1_000)
    expect(structuredClone(JSON.parse(JSON.stringify(state)))).toEqual(state)
  })
})
