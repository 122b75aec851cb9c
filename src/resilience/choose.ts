import type { CallContext, ServerId } from '../core/index.ts'
import {
  type Candidate,
  DEFAULT_BALANCER,
  pickEndpoint,
  type Rotations,
} from './balancing/index.ts'
import type { BreakerProbe, EndpointBreakers } from './breakers.ts'
import type { Load } from './load.ts'
import type { ResilienceSettings } from './settings.ts'

/** An endpoint as a call sees it; its breaker is looked up here. */
export type Endpoint = Candidate

export type Choice<T> =
  /** `probe` goes with the call's outcome. */
  | { readonly kind: 'endpoint'; readonly endpoint: T; readonly probe?: BreakerProbe }
  /** Nothing was sent. `retryAfterSeconds` is until the first breaker lets a call through. */
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number }

export interface ChoosePlan<T> {
  readonly breakers: Pick<EndpointBreakers, 'peek' | 'admitsAtOnce' | 'admit'>
  readonly load: Pick<Load, 'inFlight' | 'latencyMs'>
  readonly rotations: Rotations
  readonly settings: Pick<ResilienceSettings, 'balancer'>
  /** What `consistent-hash` keeps together; called only by it. */
  readonly key?: (() => string) | undefined
  readonly server: ServerId
  readonly endpoints: readonly T[]
}

type ChooseContext = Pick<CallContext, 'clock' | 'random' | 'requestId' | 'waitUntil'>

/**
 * Picks an endpoint and has its breaker admit the call; one that does not is left out and the next
 * is picked, since nothing was sent. Whoever gets an endpoint records the outcome. No promise unless
 * a breaker has to be asked: a closed one admits.
 */
export function chooseEndpoint<T extends Endpoint>(
  ctx: ChooseContext,
  plan: ChoosePlan<T>,
): Choice<T> | Promise<Choice<T>> {
  const { endpoints, breakers } = plan
  const now = ctx.clock.now()
  const [first] = endpoints
  const picked = endpoints.length === 1 ? first : pick(ctx, plan, endpoints, now)
  if (picked !== undefined && breakers.admitsAtOnce(picked.id, now)) {
    return { kind: 'endpoint', endpoint: picked }
  }
  return askBreakers(ctx, plan, picked)
}

function pick<T extends Endpoint>(
  { random }: ChooseContext,
  { breakers, load, rotations, settings, key, server }: ChoosePlan<T>,
  endpoints: readonly T[],
  now: number,
): T | undefined {
  const { balancer = DEFAULT_BALANCER } = settings
  const picking = { now, random, load, rotation: rotations.of(server), key }
  return pickEndpoint(balancer, endpoints, (id) => breakers.peek(id, now), picking)
}

async function askBreakers<T extends Endpoint>(
  ctx: ChooseContext,
  plan: ChoosePlan<T>,
  first: T | undefined,
): Promise<Choice<T>> {
  let retryAfterSeconds = Number.POSITIVE_INFINITY
  let left = plan.endpoints
  let picked = first
  while (left.length > 0) {
    // With every breaker open the first is asked too: only to learn how long it stays open.
    const asked = picked ?? left[0]
    if (asked === undefined) break
    const admission = await plan.breakers.admit(ctx, asked.id)
    if (admission.kind === 'closed') return { kind: 'endpoint', endpoint: asked }
    if (admission.kind === 'probe') {
      return { kind: 'endpoint', endpoint: asked, probe: admission.probe }
    }
    retryAfterSeconds = Math.min(retryAfterSeconds, admission.retryAfterSeconds)
    left = left.filter(({ id }) => id !== asked.id)
    picked = pick(ctx, plan, left, ctx.clock.now())
  }
  const isKnown = Number.isFinite(retryAfterSeconds)
  return { kind: 'unavailable', retryAfterSeconds: isKnown ? retryAfterSeconds : 1 }
}
