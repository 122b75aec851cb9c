import { type CallContext, type Clock, type ServerId, setBounded } from '../../core/index.ts'
import type { RawId } from '../wire/reply.ts'
import { createCallRegister } from './call-register.ts'
import type { RunningCall, SessionState } from './session-state.ts'

/** A request that runs, by the id that its client gave it. */
export interface InFlightCall {
  /** Within what a client's ids are its own: its session, or else itself on one server. */
  readonly scope: string
  /** Key of the client's legacy session: then a cancel may arrive at another isolate. */
  readonly session?: string | undefined
  readonly clientId: RawId
  readonly server: ServerId
  readonly upstreamId: RawId
}

/** A call that was added. What comes after the first of the two does nothing. */
export interface Running {
  /** The call is over. */
  forget(): void
  /** Its stream has ended, or its client left, and the call runs on: a cancel must still find it. */
  suspend(): void
  /** It has not been sent, and waits for something: it is in flight no more, until it goes on. */
  wait(): void
  goOn(): void
}

/** Which upstream id stands for a client's id while its request runs, so that a cancel finds it. */
export interface InFlight extends InFlightOf {
  /** `onOver` is called once: the call is over, or its client left. */
  add(ctx: CallContext, call: InFlightCall, onOver?: () => void): Running
  /** `id` as it was parsed. Asks the session's object for calls of other isolates. */
  find(
    where: Pick<InFlightCall, 'scope' | 'session'>,
    id: unknown,
  ): Promise<Pick<RunningCall, 'server' | 'upstreamId'> | undefined>
}

/** What is in flight, of one session. */
export interface InFlightOf {
  /** Whether a call of the session to this server is in flight, as far as this isolate knows. */
  isBusy(session: string, server: ServerId): boolean
  /** Upstream ids of calls that are in flight no more, of which the object may not know yet. */
  left(session: string): readonly string[]
}

/**
 * A call that nobody can cancel by a message, or move to another place, and so nobody looks for: a
 * client of 2026-07-28 leaves instead, and has no session.
 */
export function runningUntold(onOver: () => void): Running {
  return { forget: onOver, suspend: onOver, wait: NOTHING, goOn: NOTHING }
}

const NOTHING = (): void => undefined

export interface InFlightDeps {
  readonly clock: Clock
  readonly object: (session: string) => Pick<SessionState, 'noteCalls' | 'findCall'>
}

/**
 * Ids that an isolate knows, and calls under one of them; the oldest out. A call of a session that
 * was forgotten here is still known to its object.
 */
const MAX_REMEMBERED = 20_000
const MAX_OF_ONE_ID = 100

/** Ids may repeat (claude.ai sends `1` each time): the youngest is meant. */
export function createInFlight({ clock, object }: InFlightDeps): InFlight {
  /** The youngest last. */
  const running = new Map<string, InFlightCall[]>()
  const waiting = new Set<InFlightCall>()
  const register = createCallRegister({ clock, object })

  return {
    add(ctx, call, onOver) {
      const { session, server, upstreamId } = call
      const clientId = canonical(call.clientId)
      const key = keyOf(call.scope, clientId)
      const calls = running.get(key) ?? []
      if (calls.length >= MAX_OF_ONE_ID) calls.shift()
      calls.push(call)
      setBounded(running, key, calls, MAX_REMEMBERED)
      const remote =
        session === undefined
          ? undefined
          : register.begin(ctx, session, { clientId, server, upstreamId, since: clock.now() })
      let isOver = false
      const leave = (then: (() => void) | undefined): void => {
        if (isOver) return
        isOver = true
        waiting.delete(call)
        then?.()
        onOver?.()
        const at = calls.indexOf(call)
        if (at !== -1) calls.splice(at, 1)
        // What was forgotten here may have been begun anew.
        if (calls.length === 0 && running.get(key) === calls) running.delete(key)
      }
      return {
        forget: () => leave(remote?.withdraw),
        suspend: () => leave(remote?.suspend),
        wait() {
          if (isOver) return
          waiting.add(call)
          remote?.withdraw()
        },
        goOn() {
          if (waiting.delete(call)) remote?.goOn()
        },
      }
    },

    isBusy(session, server) {
      for (const calls of running.values()) {
        for (const call of calls) {
          if (call.session === session && call.server === server && !waiting.has(call)) return true
        }
      }
      return false
    },

    left: register.left,

    async find({ scope, session }, id) {
      const clientId = JSON.stringify(id ?? null)
      const own = running.get(keyOf(scope, clientId))?.at(-1)
      if (own) return own
      return session === undefined ? undefined : object(session).findCall(clientId)
    },
  }
}

/** What can be written in one way alone. */
const PLAIN_ID = /^(?:0|[1-9]\d{0,14}|"[ !#-[\]-~]*")$/

/** A cancel may spell the id in another way than the request did (`"\\u00fc"` is `"ü"`). */
function canonical(raw: RawId): string {
  if (PLAIN_ID.test(raw)) return raw
  return JSON.stringify(JSON.parse(raw))
}

function keyOf(scope: string, clientId: string): string {
  return `${scope}\n${clientId}`
}
