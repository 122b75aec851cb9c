import { type CallContext, type EndpointId, setBounded } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import {
  acquireProbe,
  applyOutcomes,
  type BreakerConfig,
  type BreakerPhase,
  type BreakerState,
  breakerConfigOf,
  changeBetween,
  type Outcomes,
  openForMs,
  type ProbeAnswer,
  phaseOf,
} from './breaker.ts'
import {
  type BreakerCopy,
  type BreakerOwner,
  countSuccess,
  newCopy,
  takeSuccesses,
} from './breaker-copy.ts'
import type { ResilienceSettings } from './settings.ts'

/** The endpoint's `BreakerObject`, as far as an isolate needs it. */
export interface BreakerStub {
  report(
    input: Outcomes & Asking,
  ): Promise<{ readonly state: BreakerState; readonly change?: BreakerPhase }>
  acquireProbe(input: Asking): Promise<ProbeAnswer & { readonly change?: BreakerPhase }>
  phase(input: { readonly now: number }): Promise<BreakerPhase>
}

/** `config` is absent where the server is not known: then the object's own holds. */
interface Asking {
  readonly now: number
  readonly config?: BreakerConfig
}

export interface BreakersDeps {
  readonly config: BreakerConfig
  readonly events: Events
  /** The one object of this endpoint. */
  object(endpoint: EndpointId): BreakerStub
}

type BreakerContext = Pick<CallContext, 'clock' | 'requestId' | 'waitUntil'>

/** A permit of a half-open breaker. Its outcome counts once. */
export interface BreakerProbe {
  /** Which opening it is to end. */
  readonly opening: number
  isSpent: boolean
}

export type BreakerAdmission =
  | { readonly kind: 'closed'; readonly probe?: undefined }
  | { readonly kind: 'probe'; readonly probe: BreakerProbe }
  | {
      readonly kind: 'open'
      readonly probe?: undefined
      /** At least 1. */
      readonly retryAfterSeconds: number
    }

/**
 * The breakers of all endpoints, each with a copy in this isolate. An endpoint that answers costs
 * no object call; while the object cannot be reached the copy decides (`breaker_unavailable`).
 */
export interface EndpointBreakers {
  /** What the copy says; `open` as well when this isolate was just refused a probe. */
  peek(endpoint: EndpointId, now: number): BreakerPhase
  /** Whether a call may be sent without asking anybody: the breaker is closed. Counts as `admit`. */
  admitsAtOnce(endpoint: EndpointId, now: number): boolean
  /**
   * Whether a call may be sent. Only when the open time has passed is the object awaited: it alone
   * gives out probes. Whoever is admitted records the outcome.
   */
  admit(ctx: BreakerContext, endpoint: EndpointId): Promise<BreakerAdmission>
  /**
   * Failures, and the first success after them, are told to the object behind the response.
   * `abandoned` says nothing of the endpoint, and gives a probe's permit back. Until the breaker is
   * closed, only what was let through as its probe counts: other calls began before it opened.
   */
  record(
    ctx: BreakerContext,
    endpoint: EndpointId,
    outcome: BreakerOutcome,
    probe?: BreakerProbe,
  ): void
}

export type BreakerOutcome = 'success' | 'failure' | 'abandoned'

/** A server, as far as its breakers need it. */
export interface BreakerServer extends BreakerOwner {
  readonly resilience: ResilienceSettings
}

export interface Breakers extends EndpointBreakers {
  /** The breakers of one server, by its own settings. */
  of(server: BreakerServer): EndpointBreakers
  /** What the endpoint's object says; undefined while it cannot be reached. */
  phase(endpoint: EndpointId, now: number): Promise<BreakerPhase | undefined>
}

/** Endpoints that an isolate remembers; the least recently used goes first. */
const MAX_REMEMBERED = 2_000

/** While another isolate probes, its verdict is a second or so away: ask again soon. */
const PROBE_RETRY_MS = 1_000

/** Creates the breakers of one isolate. */
export function createBreakers({ config: defaults, events, object }: BreakersDeps): Breakers {
  const copies = new Map<EndpointId, BreakerCopy>()
  const views = new WeakMap<BreakerServer, EndpointBreakers>()
  const configOf = (copy: BreakerCopy): BreakerConfig => copy.config ?? defaults

  function remember(endpoint: EndpointId): BreakerCopy {
    const copy = copies.get(endpoint) ?? newCopy()
    setBounded(copies, endpoint, copy, MAX_REMEMBERED)
    return copy
  }

  function tell(
    { requestId }: BreakerContext,
    endpoint: EndpointId,
    { owner }: BreakerCopy,
    phase: BreakerPhase | undefined,
  ): void {
    if (phase === undefined) return
    const whose = owner ? { tenant: owner.tenant, server: owner.path } : {}
    events.emit({ type: 'breaker_changed', requestId, ...whose, endpoint, phase })
  }

  async function report(
    ctx: BreakerContext,
    endpoint: EndpointId,
    copy: BreakerCopy,
    outcomes: Outcomes & { readonly now: number },
  ): Promise<void> {
    const before = copy.state
    const alone = applyOutcomes(before, outcomes, configOf(copy), outcomes.now)
    copy.state = alone
    copy.reports += 1
    const mine = copy.reports
    try {
      const asking = copy.config ? { ...outcomes, config: copy.config } : outcomes
      const { state, change } = await object(endpoint).report(asking)
      tell(ctx, endpoint, copy, change)
      if (copy.reports === mine) copy.state = state
    } catch {
      events.emit({ type: 'breaker_unavailable', requestId: ctx.requestId, endpoint })
      tell(ctx, endpoint, copy, changeBetween(before, alone))
    }
  }

  async function askForProbe(
    ctx: BreakerContext,
    endpoint: EndpointId,
    copy: BreakerCopy,
    now: number,
  ): Promise<ProbeAnswer> {
    try {
      const asking = copy.config ? { now, config: copy.config } : { now }
      const answer = await object(endpoint).acquireProbe(asking)
      tell(ctx, endpoint, copy, answer.change)
      return answer
    } catch {
      events.emit({ type: 'breaker_unavailable', requestId: ctx.requestId, endpoint })
      const answer = acquireProbe(copy.state, configOf(copy), now)
      tell(ctx, endpoint, copy, changeBetween(copy.state, answer.state))
      return answer
    }
  }

  function viewOf(known?: { readonly owner: BreakerOwner; readonly config: BreakerConfig }) {
    /** The copy of an endpoint that is used now, and whose it is. */
    function claim(endpoint: EndpointId): BreakerCopy {
      const copy = remember(endpoint)
      if (known) {
        copy.config = known.config
        copy.owner = known.owner
      }
      return copy
    }

    const view: EndpointBreakers = {
      peek(endpoint, now) {
        // Looking is not using: no copy is made or refreshed.
        const copy = copies.get(endpoint)
        if (copy === undefined) return 'closed'
        const phase = phaseOf(copy.state, known?.config ?? configOf(copy), now)
        return phase === 'half_open' && copy.refusedUntil > now ? 'open' : phase
      },

      admitsAtOnce(endpoint, now) {
        const copy = claim(endpoint)
        return phaseOf(copy.state, configOf(copy), now) === 'closed'
      },

      async admit(ctx, endpoint) {
        const copy = claim(endpoint)
        const now = ctx.clock.now()
        const config = configOf(copy)
        const phase = phaseOf(copy.state, config, now)
        if (phase === 'closed') return { kind: 'closed' }
        if (phase === 'open') return refusal(openForMs(copy.state, config, now))
        if (copy.refusedUntil > now) return refusal(copy.refusedUntil - now)
        const answer = await askForProbe(ctx, endpoint, copy, now)
        copy.state = answer.state
        if (answer.isGranted) {
          if (answer.state.kind === 'closed') return { kind: 'closed' }
          return { kind: 'probe', probe: { opening: answer.state.openings, isSpent: false } }
        }
        // An object that opened again meanwhile says how long; a probe under way, only that it is.
        if (phaseOf(answer.state, config, now) === 'open') return refusal(answer.retryAfterMs)
        copy.refusedUntil = now + PROBE_RETRY_MS
        return refusal(PROBE_RETRY_MS)
      },

      record(ctx, endpoint, outcome, probe) {
        const now = ctx.clock.now()
        // Whoever was admitted has one, and it was refreshed then.
        const copy = copies.get(endpoint) ?? remember(endpoint)
        const config = configOf(copy)
        const { state } = copy
        const isOwed = probe !== undefined && !probe.isSpent
        if (outcome === 'success' && state.kind === 'closed' && state.failures === 0 && !isOwed) {
          return countSuccess(copy, config.windowMs, now)
        }
        const opening = spend(probe)
        if (opening === undefined && (state.kind !== 'closed' || outcome === 'abandoned')) return
        if (phaseOf(state, config, now) === 'open') return
        const before = takeSuccesses(copy, config.windowMs, now)
        const own = outcome === 'success' ? 1 : 0
        const outcomes = {
          successes: state.kind === 'closed' ? before + own : own,
          failures: outcome === 'failure' ? 1 : 0,
          ...(outcome === 'abandoned' ? { abandoned: 1 } : {}),
          ...(opening === undefined ? {} : { opening }),
        }
        ctx.waitUntil(report(ctx, endpoint, copy, { ...outcomes, now }))
      },
    }
    return view
  }

  return {
    ...viewOf(),

    of(server) {
      const kept = views.get(server)
      if (kept) return kept
      const config = breakerConfigOf(defaults, server.resilience.breaker)
      const owner = { tenant: server.tenant, path: server.path }
      const view = viewOf({ owner, config })
      views.set(server, view)
      return view
    },

    async phase(endpoint, now) {
      try {
        return await object(endpoint).phase({ now })
      } catch {
        // Whoever looks is told that it is not known.
        return undefined
      }
    },
  }
}

/** The opening that a probe may speak of; undefined for any other call, and the second time. */
function spend(probe: BreakerProbe | undefined): number | undefined {
  if (probe === undefined || probe.isSpent) return undefined
  probe.isSpent = true
  return probe.opening
}

function refusal(ms: number): BreakerAdmission {
  return { kind: 'open', retryAfterSeconds: Math.max(1, Math.ceil(ms / 1000)) }
}
