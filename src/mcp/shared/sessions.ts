import {
  type CallContext,
  type Clock,
  GatewayError,
  type Outbound,
  setBounded,
} from '../../core/index.ts'
import type { ServerRecord, TenantSnapshot } from '../../registry/index.ts'
import { LEGACY_VERSIONS } from '../messages.ts'
import type { SessionStub, UpstreamSession } from '../session/session-state.ts'
import {
  type LegacySession,
  SESSION_TTL_MS,
  type Sessions,
  type SharedSession,
  sessionNotFound,
} from '../session/sessions.ts'
import type { Endpoint } from '../upstream/send.ts'
import { setLogLevel } from '../upstream/set-log-level.ts'

/** How one server is spoken to within a shared session. */
export interface Leg {
  /** Undefined for a server that gives no sessions. */
  readonly session: LegacySession | undefined
  /** The revision to announce to it. */
  readonly version: string
}

/** The upstream sessions of shared sessions: opened when first needed, closed with them. */
export interface SharedSessions {
  /** Throws `session_not_found`, `upstream_failed`, or what choosing an endpoint throws. */
  leg(ctx: CallContext, session: SharedSession, server: ServerRecord): Promise<Leg>
  /** Those opened so far, by any isolate. */
  opened(session: SharedSession): Promise<readonly UpstreamSession[]>
  /** Sets the level of log messages at every server, those spoken to later included. */
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
  readonly sessions: Sessions
  readonly object: (name: string) => SessionStub
  readonly outbound: Outbound
  readonly pickEndpoint: (ctx: CallContext, server: ServerRecord) => Promise<Endpoint>
}

/** Upstream sessions remembered per isolate, so that a steady call asks no object; oldest out. */
const MAX_REMEMBERED = 20_000

/** @see SharedSessions */
export function createSharedSessions(deps: SharedSessionsDeps): SharedSessions {
  const known = new Map<string, UpstreamSession>()

  async function open(
    ctx: CallContext,
    { key, hello }: SharedSession,
    server: ServerRecord,
  ): Promise<UpstreamSession> {
    const { id, url } = await deps.pickEndpoint(ctx, server)
    const { path, headers: custom, timeoutMs } = server
    const common = { server: path, endpoint: id, url, custom, timeoutMs, hello }
    const input = { ...common, hasLogging: hasLogging(server) }
    const opening = await deps.object(key).open(server.id, input, deps.clock.now() + SESSION_TTL_MS)
    switch (opening.kind) {
      case 'ended':
        deps.sessions.noteEnded({ key })
        throw sessionNotFound()
      case 'failed':
        throw new GatewayError('upstream_failed', opening.message)
      case 'open':
        return opening.session
    }
  }

  return {
    async leg(ctx, session, server) {
      if (!server.upstream.sessionful)
        return { session: undefined, version: olderVersion(session, server) }
      const key = `${session.key}\n${server.id}`
      const upstream = known.get(key) ?? (await open(ctx, session, server))
      setBounded(known, key, upstream, MAX_REMEMBERED)
      const { endpoint, upstreamId, version } = upstream
      const { hello } = session
      return {
        session: { key: session.key, server: server.id, endpoint, upstreamId, hello },
        version,
      }
    },

    opened: (session) => deps.object(session.key).opened(),

    async setLogLevel(ctx, session, snapshot, level) {
      const object = deps.object(session.key)
      await object.setLogLevel(level, deps.clock.now() + SESSION_TTL_MS)
      const index = await snapshot.index(ctx)
      for (const upstream of await object.opened()) {
        const path = index.find(({ id }) => id === upstream.server)?.path
        const server = path === undefined ? undefined : await snapshot.server(ctx, path)
        const url = server?.endpoints.find(({ id }) => id === upstream.endpoint)?.url
        if (!server || url === undefined || !hasLogging(server)) continue
        await setLogLevel(deps.outbound, { ...server, url }, upstream, level)
      }
    },

    async watch(session) {
      const { webSocket } = await deps.object(session.key).fetch('http://session/watch', {
        headers: { upgrade: 'websocket' },
      })
      webSocket?.accept()
      return webSocket ?? undefined
    },
  }
}

function hasLogging({ upstream }: ServerRecord): boolean {
  return upstream.capabilities?.['logging'] !== undefined
}

/** A server without sessions negotiated nothing: the older of what both sides speak. */
function olderVersion({ hello }: SharedSession, { upstream }: ServerRecord): string {
  const spoken = upstream.protocolVersions.find((one) => LEGACY_VERSIONS.some((it) => it === one))
  if (spoken === undefined) return hello.protocolVersion
  return spoken < hello.protocolVersion ? spoken : hello.protocolVersion
}
