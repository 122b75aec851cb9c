import {
  type CallContext,
  freshnessOf,
  mayStartConfirm,
  REVOCABLE,
  setBounded,
} from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { SessionState } from './session-state.ts'

/**
 * Which sessions have ended, of those that live in their object alone: an end anywhere shows here
 * within 5 s. Confirmed as snapshots are (DESIGN.md, Decision 4): a session in steady use waits for
 * no object.
 */
export interface SessionEnds {
  /** What this isolate knows by itself. */
  isKnownEnded(key: string): boolean
  /**
   * Confirmed less than 3 s ago: as known. Less than 5 s ago: as known, and confirmed behind the
   * call. Else the object is asked first. One that cannot be asked has ended no session.
   */
  isEnded(ctx: CallContext, key: string): Promise<boolean>
  noteEnded(key: string): void
  /** This isolate has just begun it. */
  noteBegun(key: string, now: number): void
}

export interface SessionEndsDeps {
  readonly events: Events
  readonly object: (key: string) => Pick<SessionState, 'isEnded'>
}

/** Sessions that ended, remembered per isolate; oldest out. */
const MAX_ENDED = 5_000
/** Sessions confirmed by this isolate; the one not confirmed for longest goes first. */
const MAX_CONFIRMED = 20_000

/** When the object last said so: before it was asked, so that age is never understated. */
interface Confirmed {
  readonly at: number
  readonly askedAt: number
}

/** @see SessionEnds */
export function createSessionEnds({ events, object }: SessionEndsDeps): SessionEnds {
  const ended = new Map<string, true>()
  const confirmed = new Map<string, Confirmed>()

  function noteEnded(key: string): void {
    setBounded(ended, key, true, MAX_ENDED)
    confirmed.delete(key)
  }

  async function ask(ctx: CallContext, key: string): Promise<boolean> {
    const at = ctx.clock.now()
    try {
      if (await object(key).isEnded()) noteEnded(key)
      else setBounded(confirmed, key, { at, askedAt: at }, MAX_CONFIRMED)
    } catch (thrown) {
      emitFault(events, ctx, 'session.ends', thrown)
    }
    return ended.has(key)
  }

  return {
    noteEnded,
    isKnownEnded: (key) => ended.has(key),

    noteBegun(key, now) {
      setBounded(confirmed, key, { at: now, askedAt: now }, MAX_CONFIRMED)
    },

    async isEnded(ctx, key) {
      if (ended.has(key)) return true
      const known = confirmed.get(key)
      const now = ctx.clock.now()
      if (!known) return ask(ctx, key)
      const freshness = freshnessOf(now - known.at, REVOCABLE)
      if (freshness === 'confirm_first') return ask(ctx, key)
      if (freshness === 'use_and_confirm' && mayStartConfirm(known.askedAt, now, REVOCABLE)) {
        setBounded(confirmed, key, { ...known, askedAt: now }, MAX_CONFIRMED)
        ctx.waitUntil(ask(ctx, key))
      }
      return false
    },
  }
}
