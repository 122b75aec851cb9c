import { type CallContext, type EndpointId, setBounded } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import {
  acquireProbe,
  applyOutcomes,
  type BreakerConfig,
  type BreakerPhase,
  type BreakerState,
  CLOSED,
  type Outcomes,
  openForMs,
  type ProbeAnswer,
  phaseOf,
} from './breaker.ts'

/** The endpoint's `BreakerObject`, as far as an isolate needs it. */
export interface BreakerStub {
  report(input: Outcomes & { readonly now: number }): Promise<BreakerState>
  acquireProbe(input: { readonly now: number }): Promise<ProbeAnswer>
}

export interface BreakersDeps {
  readonly config: BreakerConfig
  readonly events: Events
  /** The one object of this endpoint. */
  object(endpoint: EndpointId): BreakerStub
}

type BreakerContext = Pick<CallContext, 'clock' | 'requestId' | 'waitUntil'>

export type BreakerAdmission =
  | { readonly kind: 'closed' | 'probe' }
  | {
      readonly kind: 'open'
      /** At least 1. */
      readonly retryAfterSeconds: number
    }

/**
 * The breakers of all endpoints, each with a copy in this isolate. An endpoint that answers costs
 * no object call; while the object cannot be reached the copy decides (`breaker_unavailable`).
 */
export interface Breakers {
  /** What the copy says; `open` as well when this isolate was just refused a probe. */
  peek(endpoint: EndpointId, now: number): BreakerPhase
  /**
   * Whether a call may be sent. Only when the open time has passed is the object awaited: it alone
   * gives out probes. Whoever is admitted records the outcome.
   */
  admit(ctx: BreakerContext, endpoint: EndpointId): Promise<BreakerAdmission>
  /** Failures, and the first success after them, are told to the object behind the response. */
  record(ctx: BreakerContext, endpoint: EndpointId, outcome: 'success' | 'failure'): void
}

/** Endpoints that an isolate remembers; the least recently used goes first. */
const MAX_REMEMBERED = 2_000

/** While another isolate probes, its verdict is a second or so away: ask again soon. */
const PROBE_RETRY_MS = 1_000

interface Copy {
  state: BreakerState
  /** The object gave the probe to someone else. */
  refusedUntil: number
  /** Reports sent: only the answer to the last one is news. */
  reports: number
}

/** Creates the breakers of one isolate. */
export function createBreakers({ config, events, object }: BreakersDeps): Breakers {
  const copies = new Map<EndpointId, Copy>()

  function copyOf(endpoint: EndpointId): Copy {
    const copy = copies.get(endpoint) ?? { state: CLOSED, refusedUntil: 0, reports: 0 }
    setBounded(copies, endpoint, copy, MAX_REMEMBERED)
    return copy
  }

  async function report(
    ctx: BreakerContext,
    endpoint: EndpointId,
    copy: Copy,
    outcomes: Outcomes & { readonly now: number },
  ): Promise<void> {
    copy.reports += 1
    const mine = copy.reports
    try {
      const state = await object(endpoint).report(outcomes)
      if (copy.reports === mine) copy.state = state
    } catch {
      events.emit({ type: 'breaker_unavailable', requestId: ctx.requestId, endpoint })
    }
  }

  async function askForProbe(
    ctx: BreakerContext,
    endpoint: EndpointId,
    copy: Copy,
    now: number,
  ): Promise<ProbeAnswer> {
    try {
      return await object(endpoint).acquireProbe({ now })
    } catch {
      events.emit({ type: 'breaker_unavailable', requestId: ctx.requestId, endpoint })
      return acquireProbe(copy.state, config, now)
    }
  }

  return {
    peek(endpoint, now) {
      // Looking is not using: no copy is made or refreshed.
      const copy = copies.get(endpoint)
      if (copy === undefined) return 'closed'
      const phase = phaseOf(copy.state, config, now)
      return phase === 'half_open' && copy.refusedUntil > now ? 'open' : phase
    },

    async admit(ctx, endpoint) {
      const copy = copyOf(endpoint)
      const now = ctx.clock.now()
      const phase = phaseOf(copy.state, config, now)
      if (phase === 'closed') return { kind: 'closed' }
      if (phase === 'open') return refusal(openForMs(copy.state, config, now))
      if (copy.refusedUntil > now) return refusal(copy.refusedUntil - now)
      const answer = await askForProbe(ctx, endpoint, copy, now)
      copy.state = answer.state
      if (answer.isGranted) return { kind: answer.state.kind === 'closed' ? 'closed' : 'probe' }
      // An object that opened again meanwhile says how long; a probe under way, only that it is.
      const isOpen = phaseOf(answer.state, config, now) === 'open'
      if (isOpen) return refusal(answer.retryAfterMs)
      copy.refusedUntil = now + PROBE_RETRY_MS
      return refusal(PROBE_RETRY_MS)
    },

    record(ctx, endpoint, outcome) {
      const copy = copyOf(endpoint)
      const now = ctx.clock.now()
      const phase = phaseOf(copy.state, config, now)
      const isSteady = copy.state.kind === 'closed' && copy.state.failures === 0
      if (phase === 'open' || (isSteady && outcome === 'success')) return
      const outcomes = {
        successes: outcome === 'success' ? 1 : 0,
        failures: outcome === 'failure' ? 1 : 0,
      }
      copy.state = applyOutcomes(copy.state, outcomes, config, now)
      ctx.waitUntil(report(ctx, endpoint, copy, { ...outcomes, now }))
    },
  }
}

function refusal(ms: number): BreakerAdmission {
  return { kind: 'open', retryAfterSeconds: Math.max(1, Math.ceil(ms / 1000)) }
}
