import { ERROR_WIRE, type RequestFacts } from '../core/index.ts'

type Outcome = NonNullable<RequestFacts['outcome']>

/**
 * The facts of a batch's one event line, out of those of its messages: the worst outcome of all.
 * `isWhole` is false when its answers could not all be written.
 */
export function batchFacts(parts: readonly RequestFacts[], isWhole: boolean): RequestFacts {
  // What broke a stream is the outcome of its message; otherwise nobody reads any more.
  const outcomes = parts.map(({ outcome }) => outcome ?? 'ok')
  const all: readonly Outcome[] = isWhole ? outcomes : [...outcomes, 'cancelled']
  return { era: 'legacy', outcome: all.reduce(worse, 'ok') }
}

function worse(one: Outcome, other: Outcome): Outcome {
  return severity(other) > severity(one) ? other : one
}

/** Refusals are as bad as their HTTP status says; nothing else is as bad as one. */
function severity(outcome: Outcome): number {
  return isServed(outcome) ? SERVED.indexOf(outcome) : ERROR_WIRE[outcome].status
}

const SERVED = ['ok', 'tool_error', 'rpc_error', 'cancelled', 'stalled'] as const

function isServed(outcome: Outcome): outcome is (typeof SERVED)[number] {
  return SERVED.some((served) => served === outcome)
}
