import { describe, expect, it } from 'vitest'
import {
  acquireProbe,
  applyOutcomes,
  type BreakerState,
  CLOSED,
  openForMs,
  phaseOf,
} from '../../src/resilience/breaker.ts'

const config = { failureThreshold: 3, openMs: 1_000, halfOpenPermits: 1 }
const T = 50_000
const fail = (state: BreakerState, now = T, failures = 1) =>
  applyOutcomes(state, { successes: 0, failures }, config, now)
const succeed = (state: BreakerState, now = T) =>
  applyOutcomes(state, { successes: 1, failures: 0 }, config, now)
const open: BreakerState = { kind: 'open', openedAt: T }

describe('the breaker', () => {
  it('opens after consecutive failures only', () => {
    const twice = fail(fail(CLOSED))
    expect(twice).toEqual({ kind: 'closed', failures: 2 })
    expect(succeed(twice)).toEqual(CLOSED)
    expect(fail(twice)).toEqual(open)
    expect(fail(CLOSED, T, 3)).toEqual(open)
  })

  it('takes the successes of a mixed report to have come first', () => {
    const outcomes = { successes: 4, failures: 2 }
    expect(applyOutcomes({ kind: 'closed', failures: 2 }, outcomes, config, T)).toEqual({
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
    expect(second).toEqual({ state: first.state, isGranted: false, retryAfterMs: 600 })
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
    expect(fail(state, T + 1_100)).toEqual({ kind: 'open', openedAt: T + 1_100 })
  })

  it('gives the probe to someone else when nobody reported it', () => {
    const { state } = acquireProbe(open, config, T + 1_000)
    expect(acquireProbe(state, config, T + 1_999).isGranted).toBe(false)
    expect(acquireProbe(state, config, T + 2_000)).toMatchObject({
      isGranted: true,
      state: { probes: 1, lastProbeAt: T + 2_000 },
    })
  })

  it('survives storage and RPC', () => {
    const { state } = acquireProbe(open, config, T + 1_000)
    expect(structuredClone(JSON.parse(JSON.stringify(state)))).toEqual(state)
  })
})
