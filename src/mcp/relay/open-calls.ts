import { GatewayError, type Principal, retryIn, setBounded } from '../../core/index.ts'
import { LOST_AFTER_MS } from '../../resilience/index.ts'

/** Calls that are open on this isolate, waiting for their server or streaming its answer. */
export interface OpenCalls {
  /** Gives what says that the call is over; a second time it does nothing. Throws `rate_limited`. */
  enter(principal: Pick<Principal, 'key'>, now: number): () => void
}

/**
 * Principals with an open call whom an isolate counts. Past it, whoever opened one first is
 * forgotten: his open calls count no more, and he may open as many again.
 */
const MAX_PRINCIPALS = 10_000

/** @see OpenCalls. A call whose end is never told counts for 65 min. */
export function createOpenCalls(maxOfPrincipal: number): OpenCalls {
  const open = new Map<string, Set<OpenCall>>()
  return {
    enter({ key }, now) {
      const known = open.get(key)
      const calls = known ?? new Set<OpenCall>()
      if (calls.size >= maxOfPrincipal) forgetLost(calls, now)
      if (calls.size >= maxOfPrincipal) throw tooMany()
      const call = { enteredAt: now }
      calls.add(call)
      if (!known) setBounded(open, key, calls, MAX_PRINCIPALS)
      return () => {
        calls.delete(call)
        // Whoever came back after the last call was over has another set.
        if (calls.size === 0 && open.get(key) === calls) open.delete(key)
      }
    },
  }
}

interface OpenCall {
  readonly enteredAt: number
}

/** Calls whose invocation was dropped by the platform, which told nobody. */
function forgetLost(calls: Set<OpenCall>, now: number): void {
  // They stand in the order in which they came.
  for (const call of calls) {
    if (now - call.enteredAt <= LOST_AFTER_MS) return
    calls.delete(call)
  }
}

const RETRY_AFTER_SECONDS = 1

function tooMany(): GatewayError {
  const wait = retryIn(RETRY_AFTER_SECONDS)
  return new GatewayError(
    'rate_limited',
    'There are as many calls open as one principal may have at once.',
    {
      ...wait,
      fix: 'Wait for answers before you ask more.',
      data: { ...wait.data, scope: 'principal' },
    },
  )
}
