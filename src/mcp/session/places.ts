import { type CallContext, type ServerId, setBounded } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { KnownSession, Place, SessionState } from './session-state.ts'

/** An upstream session of a client's session, as a sealed session id names it. */
export interface SealedPlace extends Place {
  /** Of the client's session. */
  readonly key: string
  readonly server: ServerId
}

/** The places of sessions, as one isolate knows them. */
export interface Places {
  /** Costs nothing: what a sealed session id says, or what was learned since. */
  of(session: SealedPlace): Place
  /**
   * The same where the session may have moved to another endpoint, which its object knows. Confirmed
   * less than 10 s ago: as known. Less than 60 s ago: as known, and confirmed behind the call. Else
   * the object is asked first; while it cannot be, the session is where it was. Throws what `onEnded`
   * does.
   */
  find(ctx: CallContext, session: SealedPlace): Place | Promise<Place>
  /** Asks the object, whatever is known. */
  ask(ctx: CallContext, session: SealedPlace): Promise<Place>
  /** This isolate has just opened it there. */
  note(session: SealedPlace, place: Place): void
}

export interface PlacesDeps {
  readonly clock: { now(): number }
  readonly events: Events
  readonly object: (key: string) => Pick<SessionState, 'find'>
  /** What is to be thrown for a session that has ended. */
  onEnded(session: SealedPlace): Error
}

const FRESH_MS = 10_000
const STALE_MS = 60_000
/** Sessions whose place an isolate remembers; the one confirmed longest ago goes first. */
const MAX_REMEMBERED = 20_000

interface Known extends Place {
  readonly at: number
  readonly askedAt: number
}

/** @see Places */
export function createPlaces({ clock, events, object, onEnded }: PlacesDeps): Places {
  const places = new Map<string, Known>()

  function note(session: SealedPlace, { endpoint, upstreamId }: Place, at = clock.now()): void {
    setBounded(places, legOf(session), { endpoint, upstreamId, at, askedAt: at }, MAX_REMEMBERED)
  }

  async function ask(ctx: CallContext, session: SealedPlace): Promise<Place> {
    // Before it is asked, so that age is never understated.
    const at = clock.now()
    const known = await found(ctx, session)
    if (known.kind === 'ended') throw onEnded(session)
    const place = known.kind === 'open' ? known.session : of(session)
    note(session, place, at)
    return place
  }

  async function found(ctx: CallContext, session: SealedPlace): Promise<KnownSession> {
    try {
      return await object(session.key).find(session.server)
    } catch (thrown) {
      emitFault(events, ctx, 'session.places', thrown)
      return { kind: 'none' }
    }
  }

  function of(session: SealedPlace): Place {
    return places.get(legOf(session)) ?? session
  }

  return {
    of,
    ask,
    note: (session, place) => note(session, place),

    find(ctx, session) {
      const known = places.get(legOf(session))
      const now = clock.now()
      // A clock that went back says nothing of the age.
      if (!known || now < known.at || now - known.at >= STALE_MS) return ask(ctx, session)
      if (now - known.at >= FRESH_MS && now - known.askedAt >= FRESH_MS) {
        setBounded(places, legOf(session), { ...known, askedAt: now }, MAX_REMEMBERED)
        // That it has ended is remembered, and so said to the next.
        ctx.waitUntil(ask(ctx, session).catch(() => undefined))
      }
      return known
    },
  }
}

/** One upstream session of a client's session, by what was sealed of it. */
function legOf({ key, server, endpoint }: SealedPlace): string {
  return `${key}\n${server}\n${endpoint}`
}
