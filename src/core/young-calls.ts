import { systemClock } from './context.ts'
import { createLooks, type Kept, STEP_MS } from './looks.ts'

/** Where one call waits to be told that it is none of the quick ones. */
export interface Youth {
  /** `told` is called once, 50 to 100 ms from now, unless it is forgotten before. */
  add(told: () => void): void
  forget(told: () => void): void
}

/** Tells calls that they have run for a while, with one timer for all of an isolate. */
export interface YoungCalls {
  /** For a call that begins now, in this request. */
  of(request: Kept): Youth
}

/** By then a call has been told, but where the isolate is too busy to look. */
export const YOUNG_MS = 2 * STEP_MS

/**
 * A timer of its own costs a quick call some 10 us, and few calls live to see it fire. One request
 * looks for all of them (`looks.ts`), so `told` runs in that one, where nothing that belongs to the
 * other may be touched: it resolves a promise, whose continuation the platform takes home.
 */
export function createYoungCalls(): YoungCalls {
  /** To be told at the next look, and at the one after that. */
  let due = new Set<() => void>()
  let next = new Set<() => void>()
  const looks = createLooks({
    // The clock that the platform's timers go by.
    clock: systemClock,
    look() {
      const old = due
      due = next
      next = old
      for (const told of old) {
        old.delete(told)
        told()
      }
      return { asked: 0, isIdle: due.size === 0 }
    },
  })

  function forget(told: () => void): void {
    if (!due.delete(told)) next.delete(told)
  }

  // Who looks himself has a whole step before him; for anybody else it may be over in a moment.
  const looking: Youth = { add: (told) => due.add(told), forget }
  const looked: Youth = { add: (told) => next.add(told), forget }
  return { of: (request) => (looks.need(request) ? looking : looked) }
}
