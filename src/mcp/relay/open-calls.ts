import { GatewayError, type Principal } from '../../core/index.ts'

/** Calls that are open on this isolate, waiting for their server or streaming its answer. */
export interface OpenCalls {
  /** Gives what says that the call is over, to be called once. Throws `rate_limited`. */
  enter(principal: Pick<Principal, 'key'>): () => void
}

/** @see OpenCalls. Bounded by who has a call open. */
export function createOpenCalls(maxOfPrincipal: number): OpenCalls {
  const open = new Map<string, number>()
  return {
    enter({ key }) {
      const count = open.get(key) ?? 0
      if (count >= maxOfPrincipal) throw tooMany()
      open.set(key, count + 1)
      return () => {
        const left = (open.get(key) ?? 1) - 1
        if (left > 0) open.set(key, left)
        else open.delete(key)
      }
    },
  }
}

const RETRY_AFTER_SECONDS = 1

function tooMany(): GatewayError {
  return new GatewayError(
    'rate_limited',
    'There are as many calls open as one principal may have at once.',
    {
      fix: 'Wait for answers before you ask more.',
      headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
      data: { scope: 'principal', retryAfterSeconds: RETRY_AFTER_SECONDS },
    },
  )
}
