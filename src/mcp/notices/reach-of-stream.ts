import type { CallContext } from '../../core/index.ts'
import type { Arrival } from '../relay/arrive.ts'
import type { HeldTask } from './held-tasks.ts'
import type { ServerWant, Wanted } from './notice.ts'
import { type ListeningBy, reachOf } from './reach.ts'

/** What one stream is about; the same array for as long as it is the same. */
export type ReachOfStream = (
  arrival: Pick<Arrival, 'actor' | 'snapshot' | 'resolved'>,
  wanted: Wanted,
) => Promise<readonly ServerWant[]>

/**
 * `reachOf` for a stream that asks again and again. A snapshot is of one generation, policy included,
 * and rights follow from it and the stream's own principal: nothing is judged anew before there is
 * another one, or something else is wanted.
 */
export function createReachOfStream(
  ctx: CallContext,
  by: ListeningBy,
  tasks: readonly HeldTask[],
): ReachOfStream {
  let of: { readonly snapshot: Arrival['snapshot']; readonly wanted: Wanted } | undefined
  let reach: readonly ServerWant[] = []
  return async function reachNow(arrival, wanted) {
    const { snapshot } = arrival
    if (of?.snapshot === snapshot && of.wanted === wanted) return reach
    const next = await reachOf(ctx, arrival, wanted, by, tasks)
    of = { snapshot, wanted }
    if (JSON.stringify(next) !== JSON.stringify(reach)) reach = next
    return reach
  }
}
