import type { ServerId } from '../../core/index.ts'
import type { CallChanges, RunningCall } from './session-state.ts'

/** The calls of one session that have been running for a while, the youngest first. */
export type RunningCalls = readonly RunningCall[]

/** Of one session; the oldest out. Far more than a client has open. */
const MAX_CALLS = 500
/**
 * A call that was sent longer ago is not in flight: its isolate has died, or it is over by its bound
 * (`docs/operations.md`, a call that is kept alive by progress).
 */
const MAX_CALL_MS = 3_600_000

/** What is known after these changes; the same object where they change nothing. */
export function withChanges(calls: RunningCalls, { running, over }: CallChanges): RunningCalls {
  const gone = new Set(over)
  const rest = calls.some(({ upstreamId }) => gone.has(upstreamId))
    ? calls.filter(({ upstreamId }) => !gone.has(upstreamId))
    : calls
  if (running.length === 0) return rest
  const updates = new Map(running.map((call) => [call.upstreamId, call]))
  const updated = rest.map((call) => {
    const update = updates.get(call.upstreamId)
    updates.delete(call.upstreamId)
    return update ?? call
  })
  return [...[...updates.values()].reverse(), ...updated].slice(0, MAX_CALLS)
}

/** Whether the answer of a call to this server is still read by somebody. */
export function isBusy(calls: RunningCalls, server: ServerId, now: number): boolean {
  return calls.some(
    ({ server: at, since = 0, isSuspended }) =>
      at === server && !isSuspended && now - since < MAX_CALL_MS,
  )
}
