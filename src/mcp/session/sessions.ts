import { z } from 'zod'
import {
  type CallContext,
  EndpointId,
  GatewayError,
  isPlainObject,
  type Principal,
  type Sealer,
  ServerId,
  setBounded,
} from '../../core/index.ts'
import type { Events } from '../../observability/index.ts'
import type { ClientHello } from '../upstream/open-session.ts'
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

/** What a legacy client said in `initialize`. */
const Hello = z.object({
  protocolVersion: z.string(),
  capabilities: z.record(z.string(), z.unknown()),
  clientInfo: z.record(z.string(), z.unknown()),
})

/** A mirrored legacy session: all of it travels sealed in the session id (DESIGN.md, Decision 5). */
export const LegacySession = z.object({
  /** Names the SessionObject that holds what may change. */
  key: z.uuid(),
  server: ServerId,
  endpoint: EndpointId,
  upstreamId: z.string().min(1).max(4_096),
  /** Absent when it was too large to travel: such a session cannot be opened again. */
  hello: Hello.optional(),
})
export type LegacySession = z.infer<typeof LegacySession>

/** A session at a shared endpoint: its upstream sessions are known to its SessionObject. */
export const SharedSession = z.object({ kind: z.literal('shared'), key: z.uuid(), hello: Hello })
export type SharedSession = z.infer<typeof SharedSession>

/** A session with one server that knows none of this era: the gateway answers for it. */
export const BridgedSession = z.object({
  kind: z.literal('bridged'),
  key: z.uuid(),
  server: ServerId,
  hello: Hello,
})
export type BridgedSession = z.infer<typeof BridgedSession>

export type ClientSession = SharedSession | BridgedSession | LegacySession
const ClientSession = z.union([SharedSession, BridgedSession, LegacySession])

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
  ): Promise<ClientSession>
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
/** To open a seal costs as much as the rest of what a session does to a call. */
const OPENED_MS = 60_000
/** With their seals a few KiB each. */
const MAX_OPENED = 2_000

interface Opened {
  readonly session: ClientSession
  readonly until: number
}

/** @see Sessions */
export function createSessions(deps: SessionsDeps): Sessions {
  const ends = createSessionEnds(deps)
  const expiresAt = () => deps.clock.now() + SESSION_TTL_MS
  /** By the seal and all that it is bound to. Whether a session has ended is asked each time. */
  const opened = new Map<string, Opened>()

  async function unseal(
    principal: Principal,
    path: string,
    sessionId: string,
  ): Promise<ClientSession> {
    const boundTo = binding(principal, path)
    const key = [...boundTo, sessionId].join('\n')
    const known = opened.get(key)
    const now = deps.clock.now()
    if (known && now < known.until) return known.session
    const session = ClientSession.safeParse(
      await deps.sealer.open('session', boundTo, sessionId),
    ).data
    if (!session) throw sessionNotFound()
    setBounded(opened, key, { session, until: now + OPENED_MS }, MAX_OPENED)
    return session
  }

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
      return deps.sealer.seal('session', binding(principal, path), session, expiresAt())
    },

    async open(ctx, principal, path, sessionId) {
      const session = await unseal(principal, path, sessionId)
      const isEnded =
        'kind' in session ? await ends.isEnded(ctx, session.key) : ends.isKnownEnded(session.key)
      if (isEnded) throw sessionNotFound()
      return session
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

/** The same words for unknown, foreign, expired and ended: nothing leaks about which. */
export function sessionNotFound(): GatewayError {
  return new GatewayError('session_not_found', 'The session is unknown, expired or was ended.')
}

/** The session that a request names, if it names one. Throws `session_not_found`. */
export async function sessionOf(
  ctx: CallContext,
  sessions: Sessions,
  principal: Principal,
  path: string,
  headers: Headers,
): Promise<ClientSession | undefined> {
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

function binding(principal: Principal, path: string): string[] {
  return [principal.tenant, principal.key, path]
}
