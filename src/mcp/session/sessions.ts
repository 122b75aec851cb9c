import {
  andThen,
  type CallContext,
  GatewayError,
  isPlainObject,
  type MaybePromise,
  type Principal,
  type Sealer,
  type ServerId,
} from '../../core/index.ts'
import type { Events } from '../../observability/index.ts'
import type { ClientHello } from '../upstream/open-session.ts'
import {
  type BridgedSession,
  ClientSession,
  createUnseal,
  type LegacySession,
  type SharedSession,
  sealBinding,
  sessionNotFound,
} from './client-session.ts'
import type { InFlightOf } from './in-flight.ts'
import { createPlaces } from './places.ts'
import { createSessionEnds } from './session-ends.ts'
import {
  type Moving,
  type OpenSessionInput,
  type Place,
  type Recovery,
  SESSION_TTL_MS,
  type SessionState,
  type UpstreamSession,
} from './session-state.ts'

export {
  BridgedSession,
  type ClientSession,
  LegacySession,
  SharedSession,
  sessionNotFound,
} from './client-session.ts'

export interface Sessions {
  /**
   * The `Mcp-Session-Id` for the client. Throws `upstream_failed` for an upstream's id that could
   * not be opened again.
   */
  seal(principal: Principal, path: string, session: ClientSession): Promise<string>
  /**
   * Throws `session_not_found` for an id that is unknown, foreign, expired, or of a session that has
   * ended. That a session of a shared endpoint ended elsewhere shows within 5 s, that one of a
   * single server did, when the upstream no longer knows it.
   */
  open(
    ctx: CallContext,
    principal: Principal,
    path: string,
    sessionId: string,
  ): MaybePromise<ClientSession>
  /** Where it is, as far as this isolate knows; costs nothing. */
  placeOf(session: LegacySession): Place
  /**
   * The same for a session that may have moved to another endpoint: confirmed with its object as
   * `Places.find` says. Throws `session_not_found`.
   */
  findPlace(ctx: CallContext, session: LegacySession): Place | Promise<Place>
  /** The same as its object knows it now. Throws `session_not_found`. */
  askPlace(ctx: CallContext, session: LegacySession): Promise<Place>
  /**
   * Gives the upstream sessions that the SessionObject knows of. Throws `session_not_found` when it
   * had ended before.
   */
  end(session: Pick<ClientSession, 'key'>): Promise<readonly UpstreamSession[]>
  /** Remembers that a session was found to have ended. */
  noteEnded(session: Pick<ClientSession, 'key'>): void
  /**
   * After an upstream 404 at `failed`: where it is instead, opened again at that endpoint if nobody
   * has done so, or why it is nowhere. Throws `session_not_found`.
   */
  recover(
    ctx: CallContext,
    session: LegacySession,
    failed: Place,
    upstream: Omit<OpenSessionInput, 'hello' | 'endpoint'>,
  ): Promise<Exclude<Recovery, { kind: 'ended' }>>
  /**
   * Opens it at another endpoint, unless it is not at `from` any more or a call of it is in flight.
   * Throws `session_not_found`.
   */
  move(
    ctx: CallContext,
    session: LegacySession,
    from: Place,
    upstream: Omit<OpenSessionInput, 'hello'>,
  ): Promise<Exclude<Moving, { kind: 'ended' }>>
}

export interface SessionsDeps {
  readonly sealer: Sealer
  readonly clock: { now(): number }
  readonly events: Events
  readonly object: (name: string) => SessionState
  readonly inFlight: InFlightOf
}

/** Client hello larger than this (JSON characters) does not fit a header. */
const MAX_HELLO_CHARS = 2_048
/** @see Sessions */
export function createSessions(deps: SessionsDeps): Sessions {
  const ends = createSessionEnds(deps)
  const expiresAt = () => deps.clock.now() + SESSION_TTL_MS
  const unseal = createUnseal(deps)

  const hasEnded = (session: Pick<ClientSession, 'key'>): GatewayError => {
    ends.noteEnded(session.key)
    return sessionNotFound()
  }
  const places = createPlaces({ ...deps, onEnded: hasEnded })

  /** What the object says of a session, remembered. Throws `session_not_found`. */
  function settled<T extends Moving>(
    { requestId }: CallContext,
    session: LegacySession,
    server: string,
    result: T,
  ): Exclude<T, { kind: 'ended' }> {
    if (result.kind === 'ended') throw hasEnded(session)
    if (result.kind === 'reopened') {
      places.note(session, result)
      deps.events.emit({ type: 'session_reestablished', requestId, server })
    }
    return result as Exclude<T, { kind: 'ended' }>
  }

  return {
    async seal(principal, path, session) {
      // What could not be opened again must not be given out.
      if (!ClientSession.safeParse(session).success) throw unusableId()
      if ('kind' in session) ends.noteBegun(session.key, deps.clock.now())
      else places.note(session, session)
      return deps.sealer.seal('session', sealBinding(principal, path), session, expiresAt())
    },

    open(ctx, principal, path, sessionId) {
      return andThen(unseal(principal, path, sessionId), (session) => {
        const { key } = session
        const ended = 'kind' in session ? ends.isEnded(ctx, key) : ends.isKnownEnded(key)
        return andThen(ended, (isEnded) => {
          if (isEnded) throw sessionNotFound()
          return session
        })
      })
    },

    placeOf: places.of,
    findPlace: places.find,
    askPlace: places.ask,

    async end({ key }) {
      const upstreams = await deps.object(key).end(expiresAt())
      ends.noteEnded(key)
      if (!upstreams) throw sessionNotFound()
      return upstreams
    },

    noteEnded: ({ key }) => ends.noteEnded(key),

    async recover(ctx, session, failed, upstream) {
      const { key, server, hello } = session
      if (!hello) throw sessionNotFound()
      const { endpoint, upstreamId } = failed
      const input = { ...upstream, endpoint, hello }
      const recovery = await deps.object(key).recover(server, upstreamId, input, expiresAt())
      return settled(ctx, session, upstream.server, recovery)
    },

    async move(ctx, session, { endpoint, upstreamId }, upstream) {
      const { key, server, hello } = session
      if (!hello) throw sessionNotFound()
      if (deps.inFlight.isBusy(key, server)) return { kind: 'busy' }
      const left = deps.inFlight.left(key)
      const moment = { now: deps.clock.now(), expiresAt: expiresAt(), left }
      const from = { endpoint, upstreamId }
      const moving = await deps.object(key).move(server, from, { ...upstream, hello }, moment)
      return settled(ctx, session, upstream.server, moving)
    },
  }
}

function unusableId(): GatewayError {
  return new GatewayError('upstream_failed', 'The server gave a session id that is too long.', {
    fix: 'Ask the owner of the server to give session ids of at most 4,096 characters.',
  })
}

/** The session that a request names, if it names one. Throws `session_not_found`. */
export function sessionOf(
  ctx: CallContext,
  sessions: Sessions,
  principal: Principal,
  path: string,
  headers: Headers,
): MaybePromise<ClientSession | undefined> {
  const id = headers.get('mcp-session-id')
  return id === null ? undefined : sessions.open(ctx, principal, path, id)
}

/** The session for a request to one server: one of a shared endpoint is none there. */
export function mirrored(session: ClientSession | undefined): { readonly session?: LegacySession } {
  if (!session) return {}
  if ('kind' in session) throw sessionNotFound()
  return { session }
}

/** The session for a request to a shared endpoint. */
export function shared(session: ClientSession | undefined): { readonly session?: SharedSession } {
  if (!session) return {}
  if (!('kind' in session) || session.kind !== 'shared') throw sessionNotFound()
  return { session }
}

/** The session for a request to one server that knows none of the client's era. */
export function bridged(
  session: ClientSession | undefined,
  server: ServerId,
): { readonly bridged?: BridgedSession } {
  if (!session) return {}
  if (!('kind' in session) || session.kind !== 'bridged' || session.server !== server) {
    throw sessionNotFound()
  }
  return { bridged: session }
}

/** What a client said in `initialize`, when it is small enough to travel in the session id. */
export function helloOf(params: Readonly<Record<string, unknown>>): ClientHello | undefined {
  const { protocolVersion, capabilities, clientInfo } = params
  if (typeof protocolVersion !== 'string') return undefined
  const info = isPlainObject(clientInfo) ? clientInfo : {}
  const { name, version } = info
  const said = { protocolVersion, capabilities: isPlainObject(capabilities) ? capabilities : {} }
  // Icons and the like are welcome where there is room for them.
  const hellos = [info, { name, version }].map((one) => ({ ...said, clientInfo: one }))
  return hellos.find((hello) => JSON.stringify(hello).length <= MAX_HELLO_CHARS)
}
