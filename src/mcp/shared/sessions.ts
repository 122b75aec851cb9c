import { type CallContext, type Clock, GatewayError, setBounded } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { ServerRecord, TenantSnapshot } from '../../registry/index.ts'
import { LEGACY_VERSIONS } from '../messages.ts'
import {
  openChannel,
  SESSION_TTL_MS,
  type SessionStub,
  UPSTREAMS,
  type UpstreamSession,
} from '../session/session-state.ts'
import {
  type LegacySession,
  type Sessions,
  type SharedSession,
  sessionNotFound,
} from '../session/sessions.ts'
import { tellAll } from '../upstream/courtesy.ts'
import { addressOf, type Upstreams } from '../upstream/send.ts'
import { hasLogging, setLogLevel } from '../upstream/set-log-level.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'

/** How one server is spoken to within a shared session. */
export interface UpstreamLeg {
  /** Undefined for a server that gives no sessions. */
  readonly session: LegacySession | undefined
  /** The revision to announce to it. */
  readonly version: string
}

/** The upstream sessions of shared sessions: opened when first needed, closed with them. */
export interface SharedSessions {
  /**
   * Throws `session_not_found`, `upstream_failed`, `upstream_timeout`, `upstream_unavailable`. A
   * session on an endpoint that the server has no more is opened anew on another one.
   */
  leg(ctx: CallContext, session: SharedSession, server: ServerRecord): Promise<UpstreamLeg>
  /**
   * The same without opening anything: undefined where no session is open, or its endpoint is gone.
   * Throws `session_not_found`.
   */
  openLeg(session: SharedSession, server: ServerRecord): Promise<UpstreamLeg | undefined>
  /** Those opened so far, by any isolate. */
  opened(session: SharedSession): Promise<readonly UpstreamSession[]>
  /**
   * Sets the level of log messages at every server, those spoken to later included. A server that
   * does not take it within 5 s is left, with an event.
   */
  setLogLevel(
    ctx: CallContext,
    session: SharedSession,
    snapshot: TenantSnapshot,
    level: string,
  ): Promise<void>
  /** A socket that tells each upstream session as it is opened; undefined when the session ended. */
  watch(session: SharedSession): Promise<WebSocket | undefined>
}

export interface SharedSessionsDeps {
  readonly clock: Clock
  readonly events: Events
  readonly sessions: Sessions
  readonly object: (name: string) => SessionStub
  readonly outbound: UpstreamOutbound
  readonly upstreams: Pick<Upstreams, 'open'>
}

/** Upstream sessions remembered per isolate, so that a steady call asks no object; oldest out. */
const MAX_REMEMBERED = 20_000

/** @see SharedSessions */
export function createSharedSessions(deps: SharedSessionsDeps): SharedSessions {
  const known = new Map<string, UpstreamSession>()

  function ended(session: SharedSession): GatewayError {
    deps.sessions.noteEnded(session)
    return sessionNotFound()
  }

  /** What the object has; asked before a breaker is, which has few permits around a failure. */
  async function find(
    session: SharedSession,
    server: ServerRecord,
  ): Promise<UpstreamSession | undefined> {
    const found = await deps.object(session.key).find(server.id)
    if (found.kind === 'ended') throw ended(session)
    return found.kind === 'open' ? found.session : undefined
  }

  async function open(
    ctx: CallContext,
    session: SharedSession,
    server: ServerRecord,
    goneId: string | undefined,
  ): Promise<UpstreamSession> {
    const { path, transport, headers: custom, timeoutMs } = server
    const { key, hello } = session
    const opening = await deps.upstreams.open(
      ctx,
      { server, key: () => key },
      ({ id: endpoint, url }) => {
        const address = { server: path, endpoint, transport, url, custom, timeoutMs }
        const holder = ctx.facts.principal
        const input = { ...address, hello, hasLogging: hasLogging(server), holder }
        return deps.object(key).open(server.id, input, deps.clock.now() + SESSION_TTL_MS, goneId)
      },
    )
    switch (opening.kind) {
      case 'ended':
        throw ended(session)
      case 'failed':
        throw new GatewayError(opening.code, opening.message)
      case 'open':
        return opening.session
    }
  }

  async function usable(
    ctx: CallContext,
    session: SharedSession,
    server: ServerRecord,
    remembered: UpstreamSession | undefined,
  ): Promise<UpstreamSession> {
    if (remembered && isThere(remembered, server)) return remembered
    const found = await find(session, server)
    return found && isThere(found, server) ? found : open(ctx, session, server, found?.upstreamId)
  }

  return {
    async leg(ctx, session, server) {
      if (!server.upstream.sessionful) return withoutSession(session, server)
      const key = keyOf(session, server)
      const upstream = await usable(ctx, session, server, known.get(key))
      setBounded(known, key, upstream, MAX_REMEMBERED)
      return within(session, upstream)
    },

    async openLeg(session, server) {
      const { sessionful, legacy } = server.upstream
      // Who settled what is untried may know more than this snapshot does.
      if (sessionful || legacy === 'untried') {
        const remembered = known.get(keyOf(session, server))
        if (remembered && isThere(remembered, server)) return within(session, remembered)
        const found = await find(session, server)
        if (found && isThere(found, server)) return within(session, found)
      }
      return sessionful ? undefined : withoutSession(session, server)
    },

    async opened(session) {
      const opened = await deps.object(session.key).opened()
      // Who wants to know is about to speak to them.
      for (const one of opened) {
        setBounded(known, keyOf(session, { id: one.server }), one, MAX_REMEMBERED)
      }
      return opened
    },

    async setLogLevel(ctx, session, snapshot, level) {
      const object = deps.object(session.key)
      await object.setLogLevel(level, deps.clock.now() + SESSION_TTL_MS)
      await tellAll(
        await object.opened(),
        async (upstream, tooLong) => {
          const server = await snapshot.server(ctx, upstream.path)
          const endpoint = server?.endpoints.find(({ id }) => id === upstream.endpoint)
          if (!server?.enabled || !endpoint || !hasLogging(server)) return
          const signal = AbortSignal.any([ctx.caller.signal, tooLong])
          const address = addressOf(server, endpoint)
          await setLogLevel(deps.outbound, address, upstream, level, signal)
        },
        (thrown) => emitFault(deps.events, ctx, 'shared.log-level', thrown),
      )
    },

    watch: (session) => openChannel(deps.object(session.key), UPSTREAMS),
  }
}

function keyOf(session: SharedSession, server: Pick<ServerRecord, 'id'>): string {
  return `${session.key}\n${server.id}`
}

function isThere({ endpoint }: UpstreamSession, server: ServerRecord): boolean {
  return server.endpoints.some(({ id }) => id === endpoint)
}

function within({ key, hello }: SharedSession, upstream: UpstreamSession): UpstreamLeg {
  const { server, endpoint, upstreamId, version } = upstream
  return { session: { key, server, endpoint, upstreamId, hello }, version }
}

function withoutSession(session: SharedSession, server: ServerRecord): UpstreamLeg {
  return { session: undefined, version: olderVersion(session, server) }
}

/** A server without sessions negotiated nothing: the older of what both sides speak. */
function olderVersion({ hello }: SharedSession, { upstream }: ServerRecord): string {
  const spoken = upstream.protocolVersions.find((one) => LEGACY_VERSIONS.some((it) => it === one))
  if (spoken === undefined) return hello.protocolVersion
  return spoken < hello.protocolVersion ? spoken : hello.protocolVersion
}
