import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  acquireProbe,
  applyOutcomes,
  type BreakerConfig,
  type BreakerState,
  CLOSED,
  DEFAULT_BREAKER,
  openForMs,
  openMsOf,
  phaseOf,
} from '../../src/resilience/breaker.ts'

const configs: fc.Arbitrary<BreakerConfig> = fc
  .record({
    failureThreshold: fc.integer({ min: 1, max: 20 }),
    failurePercent: fc.integer({ min: 1, max: 100 }),
    minCalls: fc.integer({ min: 1, max: 50 }),
    windowMs: fc.integer({ min: 1_000, max: 60_000 }),
    openMs: fc.integer({ min: 100, max: 60_000 }),
    longer: fc.integer({ min: 0, max: 300_000 }),
    halfOpenPermits: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ longer, ...config }) => ({ ...config, maxOpenMs: config.openMs + longer }))

type Step =
  | { readonly kind: 'ask'; readonly afterMs: number }
  | {
      readonly kind: 'tell'
      readonly afterMs: number
      readonly successes: number
      readonly failures: number
      readonly abandoned: number
      /** How many openings before the present one its call began; undefined for no probe. */
      readonly late?: number | undefined
    }

const few = fc.integer({ min: 0, max: 3 })
const afterMs = fc.oneof(few, fc.integer({ min: -50, max: 40_000 }))
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('ask' as const), afterMs }),
    fc.record({
      kind: fc.constant('tell' as const),
      afterMs,
      successes: few,
      failures: few,
      abandoned: few,
      late: fc.option(few, { nil: undefined }),
    }),
  ),
  { maxLength: 200 },
)

/** Runs the steps; `see` is told of each, with the state before and after it. */
function run(
  config: BreakerConfig,
  all: readonly Step[],
  see: (of: {
    step: Step
    before: BreakerState
    after: BreakerState
    now: number
    isGranted: boolean
  }) => void,
): void {
  let state: BreakerState = CLOSED
  let now = 1_000_000
  for (const step of all) {
    now += step.afterMs
    const before = state
    let isGranted = false
    if (step.kind === 'ask') {
      const answer = acquireProbe(before, config, now)
      isGranted = answer.isGranted
      state = answer.state
    } else {
      const { late, ...outcomes } = step
      const openings = before.kind === 'closed' ? 1 : before.openings
      const of = late === undefined ? {} : { opening: openings - late }
      state = applyOutcomes(before, { ...outcomes, ...of }, config, now)
    }
    see({ step, before, after: state, now, isGranted })
  }
}

describe('whatever happens, the breaker', () => {
  it('has a state that storage and RPC carry, of bounded size', () => {
    fc.assert(
      fc.property(configs, steps, (config, all) => {
        run(config, all, ({ after }) => {
          expect(JSON.parse(JSON.stringify(after))).toEqual(after)
          expect(structuredClone(after)).toEqual(after)
          if (after.kind === 'closed') expect(after.window.length).toBeLessThanOrEqual(10)
        })
      }),
    )
  })

  it('lets no call through before its time is over', () => {
    fc.assert(
      fc.property(configs, steps, (config, all) => {
        run(config, all, ({ step, before, now, isGranted }) => {
          if (step.kind !== 'ask' || before.kind !== 'open') return
          expect(isGranted).toBe(now - before.openedAt >= openMsOf(before.openings, config))
        })
      }),
    )
  })

  it('never has more probes out than it has permits, until one is told of or lost', () => {
    fc.assert(
      fc.property(configs, steps, (config, all) => {
        const lostMs = Math.max(config.openMs, 30_000)
        let out: number[] = []
        run(config, all, ({ step, before, after, now, isGranted }) => {
          if (step.kind === 'tell') {
            if (before.kind === 'half_open' && after.kind === 'half_open') {
              out = out.slice(Math.min(out.length, step.late === 0 ? step.abandoned : 0))
            } else if (after.kind !== 'half_open') out = []
            return
          }
          if (!isGranted || after.kind !== 'half_open') return
          const last = out.at(-1)
          if (last !== undefined && now - last >= lostMs) out = []
          out.push(now)
          expect(out.length).toBeLessThanOrEqual(config.halfOpenPermits)
        })
      }),
    )
  })

  it('is moved by nothing but its own probes and the time, until it is closed', () => {
    fc.assert(
      fc.property(configs, steps, (config, all) => {
        run(config, all, ({ step, before, after }) => {
          if (step.kind === 'tell' && step.late !== 0 && before.kind !== 'closed') {
            expect(after).toBe(before)
          }
        })
      }),
    )
  })

  it('never opens by a share of failures that is below its own', () => {
    const calls = fc.array(
      fc.record({ afterMs: fc.integer({ min: 0, max: 5_000 }), failures: few }),
    )
    fc.assert(
      fc.property(configs, calls, (given, all) => {
        const config = { ...given, failureThreshold: Number.MAX_SAFE_INTEGER }
        // So many good calls with each failure that no part of the run can reach the share.
        const successes = Math.ceil(100 / config.failurePercent)
        run(
          config,
          all.map((of) => ({
            ...of,
            kind: 'tell',
            successes: of.failures * successes,
            abandoned: 0,
          })),
          ({ after }) => expect(after.kind).toBe('closed'),
        )
      }),
    )
  })

  it('never opens by the share of too few calls', () => {
    fc.assert(
      fc.property(configs, fc.integer({ min: 0, max: 49 }), (given, failures) => {
        const config = { ...given, failureThreshold: Number.MAX_SAFE_INTEGER }
        const outcomes = { successes: 0, failures }
        const state = applyOutcomes(CLOSED, outcomes, config, 0)
        expect(state.kind).toBe(failures >= config.minCalls ? 'open' : 'closed')
      }),
    )
  })

  it('stays open no shorter after each failed probe, and never beyond its most', () => {
    fc.assert(
      fc.property(configs, fc.integer({ min: 1, max: 60 }), (config, probes) => {
        const threshold = config.failureThreshold
        let state = applyOutcomes(CLOSED, { successes: 0, failures: threshold }, config, 0)
        let now = 0
        let lastMs = 0
        for (let probe = 0; probe < probes; probe += 1) {
          const openMs = openForMs(state, config, now)
          expect(openMs).toBeGreaterThanOrEqual(Math.max(lastMs, config.openMs))
          expect(openMs).toBeLessThanOrEqual(config.maxOpenMs)
          lastMs = openMs
          now += openMs
          expect(phaseOf(state, config, now)).toBe('half_open')
          state = acquireProbe(state, config, now).state
          const opening = probe + 1
          const failed = { successes: 0, failures: 1, opening: Math.min(30, opening) }
          state = applyOutcomes(state, failed, config, now)
        }
        state = applyOutcomes(
          acquireProbe(state, config, now + lastMs * 2).state,
          { successes: 1, failures: 0, opening: Math.min(30, probes + 1) },
          config,
          now + lastMs * 2,
        )
        expect(state).toEqual(CLOSED)
      }),
    )
  })

  it('opens by failures in a row exactly when there are enough of them', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), (isFailure) => {
        const config = { ...DEFAULT_BREAKER, minCalls: Number.MAX_SAFE_INTEGER }
        let state: BreakerState = CLOSED
        let inARow = 0
        for (const failed of isFailure) {
          const outcomes = { successes: failed ? 0 : 1, failures: failed ? 1 : 0 }
          state = applyOutcomes(state, outcomes, config, 0)
          inARow = failed ? inARow + 1 : 0
          expect(state.kind).toBe(inARow >= config.failureThreshold ? 'open' : 'closed')
          if (state.kind === 'open') return
        }
      }),
    )
  })
})
