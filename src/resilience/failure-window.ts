/** What became of the calls of the last while: at most ten slots, whatever the traffic. */

/** The calls of a tenth of the window. */
export interface Slot {
  /** When its first call was counted, epoch ms. */
  readonly at: number
  readonly successes: number
  readonly failures: number
}

/** Oldest first; at most ten. */
export type FailureWindow = readonly Slot[]

const SLOTS = 10

/** The window with these counted at `now`, and without what is older than `windowMs`. */
export function counted(
  window: FailureWindow,
  { successes, failures }: Omit<Slot, 'at'>,
  windowMs: number,
  now: number,
): FailureWindow {
  if (successes + failures === 0) return window
  // One that lies ahead is of a clock that was wrong: it would never grow old.
  const young = window.filter(({ at }) => Math.abs(now - at) < windowMs)
  const last = young.at(-1)
  if (last === undefined || now - last.at >= Math.ceil(windowMs / SLOTS)) {
    return [...young, { at: now, successes, failures }].slice(-SLOTS)
  }
  const grown = {
    at: last.at,
    successes: last.successes + successes,
    failures: last.failures + failures,
  }
  return [...young.slice(0, -1), grown]
}

/** Whether at least `failurePercent` of at least `minCalls` calls failed. */
export function isFailing(
  window: FailureWindow,
  { failurePercent, minCalls }: { readonly failurePercent: number; readonly minCalls: number },
): boolean {
  let failures = 0
  let calls = 0
  for (const slot of window) {
    failures += slot.failures
    calls += slot.failures + slot.successes
  }
  return calls >= minCalls && failures * 100 >= calls * failurePercent
}
