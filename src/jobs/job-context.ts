import type { CallContext, Clock, Random } from '../core/index.ts'

/** The context of work that no caller asked for: nothing aborts it, nothing is held for it. */
export function jobContext(
  deps: { readonly clock: Clock; readonly random: Random },
  waitUntil: (work: Promise<unknown>) => void,
): CallContext {
  return {
    requestId: deps.random.uuid(),
    clock: deps.clock,
    random: deps.random,
    caller: new AbortController(),
    facts: {},
    waitUntil,
    holdEvent: () => () => undefined,
  }
}
