/** A circuit breaker as a pure reducer. The state is plain data: storage and RPC carry it. */

export interface BreakerConfig {
  /** Consecutive failures that open it. */
  readonly failureThreshold: number
  /** How long it stays open before probes are let through, ms. */
  readonly openMs: number
  /** Probes let through at a time. */
  readonly halfOpenPermits: number
}

export const DEFAULT_BREAKER: BreakerConfig = {
  failureThreshold: 5,
  openMs: 30_000,
  halfOpenPermits: 1,
}

export type BreakerState =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly openedAt: number }
  | {
      readonly kind: 'half_open'
      /** Probes let through and not reported. */
      readonly probes: number
      readonly lastProbeAt: number
    }

export type BreakerPhase = BreakerState['kind']

/** What happened since the last report; successes are taken to have come first. */
export interface Outcomes {
  readonly successes: number
  readonly failures: number
}

export interface ProbeAnswer {
  readonly state: BreakerState
  readonly isGranted: boolean
  /** When not granted: how long to wait before asking again. */
  readonly retryAfterMs: number
}

export const CLOSED: BreakerState = { kind: 'closed', failures: 0 }

/** The phase at `now`: an open breaker whose time has passed is half open. */
export function phaseOf(state: BreakerState, config: BreakerConfig, now: number): BreakerPhase {
  return state.kind === 'open' && now - state.openedAt >= config.openMs ? 'half_open' : state.kind
}

/** The state after a report. While open, late outcomes of earlier calls change nothing. */
export function applyOutcomes(
  state: BreakerState,
  { successes, failures }: Outcomes,
  config: BreakerConfig,
  now: number,
): BreakerState {
  const closedOrOpen = (count: number): BreakerState =>
    count >= config.failureThreshold
      ? { kind: 'open', openedAt: now }
      : { kind: 'closed', failures: count }
  switch (phaseOf(state, config, now)) {
    case 'closed': {
      const before = state.kind === 'closed' && successes === 0 ? state.failures : 0
      return closedOrOpen(before + failures)
    }
    case 'open':
      return state
    case 'half_open':
      if (failures > 0) return { kind: 'open', openedAt: now }
      return successes > 0 ? CLOSED : state
  }
}

/** Asks to let one call through; counts it as a probe when the breaker is half open. */
export function acquireProbe(state: BreakerState, config: BreakerConfig, now: number): ProbeAnswer {
  if (state.kind === 'closed') return { state, isGranted: true, retryAfterMs: 0 }
  if (phaseOf(state, config, now) === 'open') {
    return { state, isGranted: false, retryAfterMs: openForMs(state, config, now) }
  }
  const out = state.kind === 'half_open' ? state : { probes: 0, lastProbeAt: now }
  // A probe that nobody reported (its isolate died) must not wedge the breaker.
  const lostAt = out.lastProbeAt + config.openMs
  const probes = now >= lostAt ? 0 : out.probes
  if (probes >= config.halfOpenPermits) {
    return { state, isGranted: false, retryAfterMs: lostAt - now }
  }
  const next: BreakerState = { kind: 'half_open', probes: probes + 1, lastProbeAt: now }
  return { state: next, isGranted: true, retryAfterMs: 0 }
}

/** How long an open breaker stays open; 0 in every other phase. */
export function openForMs(state: BreakerState, config: BreakerConfig, now: number): number {
  return state.kind === 'open' ? Math.max(0, state.openedAt + config.openMs - now) : 0
}
