import type { ServerId } from '../../core/index.ts'
import type { RunningCall } from './session-state.ts'

/** The calls of one session that have been running for a while, the youngest first. */
export type RunningCalls = readonly RunningCall[]

/** Of one session; the oldest out. Far more than a client has open. */
const MAX_CALLS = 500
/**
 * A call that was sent longer ago is not in flight: its isolate has died, or it is over by its bound
 * (`docs/operations.md`, a call that is kept alive by progress).
 */
const MAX_CALL_MS = 3_600_000

/** With one more, or with what is known of one by now. */
export function withCall(calls: RunningCalls, call: RunningCall): RunningCalls {
  const at = calls.findIndex(({ upstreamId }) => upstreamId === call.upstreamId)
  return at < 0 ? [call, ...calls].slice(0, MAX_CALLS) : calls.with(at, call)
}

/** Whether the answer of a call to this server is still read by somebody. */
export function isBusy(calls: RunningCalls, server: ServerId, now: number): boolean {
  return calls.some(
    ({ server: at, since = 0, isSuspended }) =>
      at === server && !isSuspended && now - since < MAX_CALL_MS,
  )
}
