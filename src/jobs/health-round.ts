import type { EndpointId, Random } from '../core/index.ts'
import { type Events, emitFault } from '../observability/index.ts'

/** The RPC surface of a ProbeObject, as the round uses it. */
export interface ProbeStub {
  /**
   * Queues endpoints to probe soon. Returns at once. `isDoubted`: what they speak is asked from the
   * beginning, whatever a probe would say.
   */
  wake(endpoints: readonly EndpointId[], isDoubted?: boolean): Promise<void>
}

export interface HealthRoundDeps {
  listEndpointIds(limit: number, after?: string): Promise<EndpointId[]>
  probeObject(name: string): ProbeStub
  readonly events: Events
  readonly random: Pick<Random, 'uuid'>
}

/** At most this many endpoints per probe object. */
const ENDPOINTS_PER_OBJECT = 100
/** Ids read per D1 call. */
const PAGE = 2_000
/** A round covers at most this many, with 200 objects; the free plan's 50 subrequests do for 4,500. */
const MAX_ENDPOINTS = 20_000
/** Calls that wait at once. */
const CONCURRENCY = 6

/**
 * Wakes the probe objects, each with its share of all endpoints, and returns; they probe in
 * invocations of their own. Endpoint ids are random, so a slice of their order is a hash bucket.
 */
export async function runHealthRound(deps: HealthRoundDeps): Promise<void> {
  const shares: EndpointId[][] = []
  let count = 0
  for (let after = ''; count < MAX_ENDPOINTS; ) {
    const ids = await deps.listEndpointIds(PAGE, after)
    for (let at = 0; at < ids.length; at += ENDPOINTS_PER_OBJECT) {
      shares.push(ids.slice(at, at + ENDPOINTS_PER_OBJECT))
    }
    count += ids.length
    after = ids.at(-1) ?? ''
    if (ids.length < PAGE) break
  }
  const ctx = { requestId: deps.random.uuid() }
  const wake = async (share: readonly EndpointId[], index: number): Promise<void> => {
    try {
      await deps.probeObject(`probe-${index}`).wake(share)
    } catch (thrown) {
      // The round goes on: one object that fails must not keep the others asleep.
      emitFault(deps.events, ctx, 'health-round', thrown)
    }
  }
  for (let at = 0; at < shares.length; at += CONCURRENCY) {
    const batch = shares.slice(at, at + CONCURRENCY)
    await Promise.all(batch.map((share, offset) => wake(share, at + offset)))
  }
  deps.events.emit({ type: 'health_round', endpoints: count, objects: shares.length })
}
