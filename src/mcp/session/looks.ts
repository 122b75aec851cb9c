import type { CallContext, Clock } from '../../core/index.ts'

/** What one look came to. */
interface Looked {
  /** Objects that were asked, in the name of the request that looked. */
  readonly asked: number
  /** Nothing is left to look for. */
  readonly isIdle: boolean
}

/** Has somebody look every 50 ms, while there is something to look for. */
export interface Looks {
  /**
   * To be said whenever there is something. Whether it was this request that took it on: then the
   * next look is a whole step away.
   */
  need(ctx: CallContext): boolean
}

export interface LooksDeps {
  readonly clock: Clock
  readonly look: (ctx: CallContext) => Looked
}

/** How often it is looked. */
const STEP_MS = 50
/** A look that is this late will not come: the request that was to make it is gone. */
const LATE_MS = 500
/** One request looks for 1 s, or until it has asked this often: what it may ask is bounded. */
const MAX_STEPS = 20
const MAX_ASKED = 20

/**
 * One timer serves the isolate, since a timer for each call costs every call that is quick. A timer
 * belongs to the request that made it and dies with it, and so does what is sent when it fires. So
 * one request has the lead: it stays alive behind its answer (`waitUntil`) and looks for all of
 * them. None may stay for long (30 s is the platform's bound), so after a second the next one that
 * comes takes the lead, and who led goes on until it does: where nobody comes, what there is to look
 * for soon comes to an end. A request that was killed is found to be overdue by whoever comes next.
 */
export function createLooks({ clock, look }: LooksDeps): Looks {
  let leader: object | undefined
  /** Epoch ms; 0 where the next may take the lead. */
  let lookBy = 0

  async function lead(ctx: CallContext, self: object): Promise<void> {
    let asked = 0
    for (let steps = 1; ; steps += 1) {
      await pause(STEP_MS)
      // Also by who was replaced: where every look is late, each would leave it to the next.
      const looked = look(ctx)
      asked += looked.asked
      if (leader !== self) return
      const mayStay = !looked.isIdle && steps < MAX_STEPS && asked < MAX_ASKED
      lookBy = mayStay ? clock.now() + STEP_MS + LATE_MS : 0
      if (looked.isIdle) return
    }
  }

  return {
    need(ctx) {
      const now = clock.now()
      // Not also by a clock that went back: nobody would lead until it has caught up.
      if (now < lookBy && lookBy <= now + STEP_MS + LATE_MS) return false
      leader = {}
      lookBy = now + STEP_MS + LATE_MS
      ctx.waitUntil(lead(ctx, leader))
      return true
    },
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
