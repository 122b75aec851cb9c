/** A circuit breaker as a pure reducer. The state is plain data: storage and RPC carry it. */
import { counted, type FailureWindow, isFailing } from './failure-window.ts'

/** When a breaker opens, and for how long: the deployment's numbers, or one server's. */
export interface BreakerConfig {
  /** Failures in a row that open it. */
  readonly failureThreshold: number
  /** Share of the calls within the window that opens it, by failing. */
  readonly failurePercent: number
  /** Calls within the window below which the share says nothing. */
  readonly minCalls: number
  readonly windowMs: number
  /** How long it stays open before probes are let through, ms; doubles with each failed probe. */
  readonly openMs: number
  /** The longest that it stays open, ms; at least `openMs`. */
  readonly maxOpenMs: number
  /** Probes let through at a time. */
  readonly halfOpenPermits: number
}

/** What holds where neither the deployment nor the server names a number. */
export const DEFAULT_BREAKER: BreakerConfig = {
  failureThreshold: 5,
  failurePercent: 50,
  minCalls: 20,
  windowMs: 60_000,
  openMs: 30_000,
  maxOpenMs: 300_000,
  halfOpenPermits: 1,
}

/** All that a breaker knows; times are epoch ms. */
export type BreakerState =
  | {
      readonly kind: 'closed'
      /** In a row. */
      readonly failures: number
      readonly window: FailureWindow
    }
  | {
      readonly kind: 'open'
      readonly openedAt: number
      /** Since it was closed: 1, and 1 for each failed probe. */
      readonly openings: number
    }
  | {
      readonly kind: 'half_open'
      /** Probes let through and not reported. */
      readonly probes: number
      readonly lastProbeAt: number
      readonly openings: number
    }

/** Whether calls pass (`closed`), do not (`open`), or a few of them try (`half_open`). */
export type BreakerPhase = BreakerState['kind']

/** What happened since the last report; successes are taken to have come first. */
export interface Outcomes {
  readonly successes: number
  readonly failures: number
  /** Probes that nobody waits for any more: they say nothing, and give their permit back. */
  readonly abandoned?: number
  /** Of a probe: the opening that it was let through in. Only then does a half-open one listen. */
  readonly opening?: number
}

export interface ProbeAnswer {
  readonly state: BreakerState
  readonly isGranted: boolean
  /** When not granted: how long to wait before asking again. */
  readonly retryAfterMs: number
}

/** As it begins, and as a probe that succeeds leaves it: what failed before is forgotten. */
export const CLOSED: BreakerState = { kind: 'closed', failures: 0, window: [] }

/**
 * A probe that was not reported for so long is taken to have gone down with its isolate, and another
 * one is let through. One that is just that slow may then run beside it.
 */
const PROBE_LOST_MS = 30_000

/** Doubling is of no use beyond it, and `2 ** openings` stays a number. */
const MAX_OPENINGS = 30

/** The phase at `now`: an open breaker whose time has passed is half open. */
export function phaseOf(state: BreakerState, config: BreakerConfig, now: number): BreakerPhase {
  return state.kind === 'open' && openForMs(state, config, now) === 0 ? 'half_open' : state.kind
}

/** Further ahead than isolates differ: then the clock went back since. */
const MAX_AHEAD_MS = 60_000

/** What is left of `ms` since then; nothing by a clock that has gone back behind it. */
function leftOf(ms: number, since: number, now: number): number {
  return since - now > MAX_AHEAD_MS ? 0 : Math.max(0, since + ms - now)
}

/** How long an open breaker stays open; 0 in every other phase. */
export function openForMs(state: BreakerState, config: BreakerConfig, now: number): number {
  if (state.kind !== 'open') return 0
  return leftOf(openMsOf(state.openings, config), state.openedAt, now)
}

/** How long the nth opening in a row lasts: never shorter than the one before it. */
export function openMsOf(openings: number, { openMs, maxOpenMs }: BreakerConfig): number {
  return Math.min(Math.max(openMs, maxOpenMs), openMs * 2 ** (openings - 1))
}

/**
 * The state after a report. Until it is closed, only its own probes change it: what earlier calls
 * came to, which began before it opened, says nothing of now.
 */
export function applyOutcomes(
  state: BreakerState,
  { successes, failures, abandoned = 0, opening }: Outcomes,
  config: BreakerConfig,
  now: number,
): BreakerState {
  if (state.kind === 'closed') {
    if (successes + failures === 0) return state
    const window = counted(state.window, { successes, failures }, config.windowMs, now)
    const inARow = (successes === 0 ? state.failures : 0) + failures
    const isTripped = inARow >= config.failureThreshold || isFailing(window, config)
    return failures > 0 && isTripped
      ? { kind: 'open', openedAt: now, openings: 1 }
      : { kind: 'closed', failures: inARow, window }
  }
  if (opening !== state.openings || phaseOf(state, config, now) === 'open') return state
  if (failures > 0) {
    const openings = Math.min(MAX_OPENINGS, state.openings + 1)
    return { kind: 'open', openedAt: now, openings }
  }
  if (successes > 0) return CLOSED
  if (state.kind === 'open' || abandoned === 0) return state
  return { ...state, probes: Math.max(0, state.probes - abandoned) }
}

/** Asks to let one call through; counts it as a probe when the breaker is half open. */
export function acquireProbe(state: BreakerState, config: BreakerConfig, now: number): ProbeAnswer {
  if (state.kind === 'closed') return { state, isGranted: true, retryAfterMs: 0 }
  if (phaseOf(state, config, now) === 'open') {
    return { state, isGranted: false, retryAfterMs: openForMs(state, config, now) }
  }
  const out = state.kind === 'half_open' ? state : { probes: 0, lastProbeAt: now }
  // A probe that nobody reported (its isolate died) must not wedge the breaker.
  const lostInMs = leftOf(Math.max(config.openMs, PROBE_LOST_MS), out.lastProbeAt, now)
  const probes = lostInMs === 0 ? 0 : out.probes
  if (probes >= config.halfOpenPermits) {
    return { state, isGranted: false, retryAfterMs: lostInMs }
  }
  const { openings } = state
  const next = { kind: 'half_open', probes: probes + 1, lastProbeAt: now, openings } as const
  return { state: next, isGranted: true, retryAfterMs: 0 }
}

/** The phase that a step led to, when it led to another one or to another time of being open. */
export function changeBetween(before: BreakerState, after: BreakerState): BreakerPhase | undefined {
  const isReopened =
    before.kind === 'open' && after.kind === 'open' && before.openings !== after.openings
  return before.kind !== after.kind || isReopened ? after.kind : undefined
}

/** The deployment's numbers with those of one server in their place. */
export function breakerConfigOf(
  defaults: BreakerConfig,
  settings: Partial<{ [K in keyof BreakerConfig]: BreakerConfig[K] | undefined }> = {},
): BreakerConfig {
  const set = Object.entries(settings).filter(([, value]) => value !== undefined)
  const config = { ...defaults, ...(Object.fromEntries(set) as Partial<BreakerConfig>) }
  return { ...config, maxOpenMs: Math.max(config.openMs, config.maxOpenMs) }
}
