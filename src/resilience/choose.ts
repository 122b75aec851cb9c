import type { CallContext, EndpointId } from '../core/index.ts'
import { type BalancerName, type Candidate, pickEndpoint } from './balancing/index.ts'
import type { EndpointBreakers } from './breakers.ts'

/** An endpoint as a call sees it; its breaker is looked up here. */
export type Endpoint = Omit<Candidate, 'breaker'> & { readonly id: EndpointId }

export type Choice<T> =
  | { readonly kind: 'endpoint'; readonly endpoint: T }
  /** Nothing was sent. `retryAfterSeconds` is until the first breaker lets a call through. */
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number }

export interface ChoosePlan<T> {
  readonly breakers: EndpointBreakers
  readonly balancer: BalancerName
  readonly endpoints: readonly T[]
}

/**
 * Picks an endpoint and has its breaker admit the call; one that does not is left out and the next
 * is picked, since nothing was sent. Whoever gets an endpoint records the outcome.
 */
export async function chooseEndpoint<T extends Endpoint>(
  ctx: Pick<CallContext, 'clock' | 'random' | 'requestId' | 'waitUntil'>,
  { breakers, balancer, endpoints }: ChoosePlan<T>,
): Promise<Choice<T>> {
  let retryAfterSeconds = Number.POSITIVE_INFINITY
  let left = endpoints.map((endpoint) => ({ ...endpoint, endpoint }))
  while (left.length > 0) {
    const now = ctx.clock.now()
    const candidates = left.map((entry) => ({ ...entry, breaker: breakers.peek(entry.id, now) }))
    // With every breaker open the first is asked too: only to learn how long it stays open.
    const picked = pickEndpoint(balancer, candidates, ctx.random) ?? candidates[0]
    if (picked === undefined) break
    const admission = await breakers.admit(ctx, picked.id)
    if (admission.kind !== 'open') return { kind: 'endpoint', endpoint: picked.endpoint }
    retryAfterSeconds = Math.min(retryAfterSeconds, admission.retryAfterSeconds)
    left = left.filter(({ id }) => id !== picked.id)
  }
  const isKnown = Number.isFinite(retryAfterSeconds)
  return { kind: 'unavailable', retryAfterSeconds: isKnown ? retryAfterSeconds : 1 }
}
