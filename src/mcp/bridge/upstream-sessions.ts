import {
  type CallContext,
  canonicalJson,
  GatewayError,
  type Principal,
  setBounded,
  sha256Hex,
  type TenantId,
} from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import { LEGACY_VERSIONS } from '../messages.ts'
import type {
  Opening,
  OpenSessionInput,
  Recovery,
  UpstreamSession,
} from '../session/session-state.ts'
import type { LegacySession, Sessions } from '../session/sessions.ts'
import type { ClientHello } from '../upstream/open-session.ts'
import type { Endpoint, Upstreams } from '../upstream/send.ts'
import { hasLogging } from '../upstream/set-log-level.ts'
import type { BridgeStub } from './bridge-state.ts'

/** How a modern client's requests reach one legacy server. */
export interface LegacyLeg {
  /** Of the BridgeObject. */
  readonly bridge: string
  /** Absent where the server gives none. */
  readonly session?: LegacySession
  /** The revision to announce. */
  readonly version: string
}

/** The sessions that the gateway has at legacy servers for modern clients, one for each of them. */
export interface BridgeSessions {
  /** Throws `upstream_failed`, `upstream_timeout`, `upstream_unavailable`. */
  leg(
    ctx: CallContext,
    principal: Principal,
    server: ServerRecord,
    hello: ClientHello,
  ): Promise<LegacyLeg>
  /** For `sendInSession`; to another endpoint it moves by `leg` alone. */
  keeper(tenant: TenantId): Pick<Sessions, 'placeOf' | 'recover'>
}

export interface BridgeSessionsDeps {
  readonly upstreams: Pick<Upstreams, 'open' | 'isOpen' | 'close'>
  readonly object: (name: string) => BridgeStub
}

/** Sessions remembered per isolate, so that a steady call asks no object; the oldest out. */
const MAX_REMEMBERED = 20_000
/** Well below the time after which an object closes a session that nobody uses. */
const TOUCH_MS = 10 * 60_000

interface Remembered {
  readonly session: UpstreamSession
  touchedAt: number
}

/** @see BridgeSessions */
export function createBridgeSessions({ upstreams, object }: BridgeSessionsDeps): BridgeSessions {
  const known = new Map<string, Remembered>()

  function remember(ctx: CallContext, bridge: string, session: UpstreamSession): void {
    setBounded(known, bridge, { session, touchedAt: ctx.clock.now() }, MAX_REMEMBERED)
  }

  async function open(
    ctx: CallContext,
    bridge: string,
    server: ServerRecord,
    hello: ClientHello,
    goneId?: string,
  ): Promise<UpstreamSession> {
    const opening = await upstreams.open(ctx, { server, key: () => bridge }, (endpoint) =>
      object(bridge).session(ofServer(server), inputFor(ctx, server, endpoint, hello), goneId),
    )
    return opened(ctx, bridge, opening)
  }

  /** Away from an endpoint whose breaker is open; back there, where it cannot leave. */
  async function move(
    ctx: CallContext,
    bridge: string,
    server: ServerRecord,
    hello: ClientHello,
    left: UpstreamSession,
  ): Promise<UpstreamSession> {
    const endpoints = server.endpoints.filter(({ id }) => id !== left.endpoint)
    const where = { server: { ...server, endpoints }, key: () => bridge }
    const opening = await upstreams.open(ctx, where, (endpoint) =>
      object(bridge).move(
        ofServer(server),
        inputFor(ctx, server, endpoint, hello),
        left.upstreamId,
      ),
    )
    if (opening.kind === 'busy') return left
    if (opening.outcome && opening.kind === 'open' && left.upstreamId !== '') {
      ctx.waitUntil(upstreams.close(server, left.endpoint, left.upstreamId))
    }
    return opened(ctx, bridge, opening)
  }

  function opened(ctx: CallContext, bridge: string, opening: Opening): UpstreamSession {
    if (opening.kind === 'failed') throw new GatewayError(opening.code, opening.message)
    if (opening.kind === 'ended') throw new GatewayError('upstream_failed', 'The session ended.')
    remember(ctx, bridge, opening.session)
    return opening.session
  }

  async function usable(
    ctx: CallContext,
    bridge: string,
    server: ServerRecord,
    hello: ClientHello,
  ): Promise<UpstreamSession> {
    const isThere = ({ endpoint }: UpstreamSession): boolean =>
      server.endpoints.some(({ id }) => id === endpoint)
    const isLost = ({ endpoint }: UpstreamSession): boolean =>
      server.endpoints.length > 1 && upstreams.isOpen(ctx, endpoint)
    const remembered = known.get(bridge)
    if (remembered && isThere(remembered.session) && !isLost(remembered.session)) {
      if (ctx.clock.now() - remembered.touchedAt > TOUCH_MS) {
        remembered.touchedAt = ctx.clock.now()
        ctx.waitUntil(object(bridge).touch())
      }
      return remembered.session
    }
    const found = await open(ctx, bridge, server, hello)
    if (!isThere(found)) return open(ctx, bridge, server, hello, found.upstreamId)
    return isLost(found) ? move(ctx, bridge, server, hello, found) : found
  }

  return {
    async leg(ctx, principal, server, hello) {
      // Not what the client calls itself: it could call itself anything, and each would be a session.
      const parts = [principal.tenant, principal.key, server.id, hello.capabilities]
      const bridge = await sha256Hex(canonicalJson(parts))
      if (!server.upstream.sessionful) return { bridge, version: newestOf(server) }
      const { endpoint, upstreamId, version } = await usable(ctx, bridge, server, hello)
      if (upstreamId === '') return { bridge, version }
      return {
        bridge,
        session: { key: bridge, server: server.id, endpoint, upstreamId, hello },
        version,
      }
    },

    keeper: (tenant) => ({
      placeOf: (session) => known.get(session.key)?.session ?? session,

      async recover(ctx, session, { endpoint, upstreamId: failedId }, input): Promise<Reopened> {
        const { key, server, hello } = session
        if (!hello) throw new GatewayError('upstream_failed', 'The session cannot be opened again.')
        const opening = await object(key).session(
          { tenant, server },
          { ...input, endpoint, hello },
          failedId,
        )
        if (opening.kind === 'failed') return opening
        if (opening.kind === 'ended') {
          throw new GatewayError('upstream_failed', 'The session ended.')
        }
        remember(ctx, key, opening.session)
        const { outcome } = opening
        const { endpoint: at, upstreamId } = opening.session
        return { kind: 'reopened', endpoint: at, upstreamId, isNew: outcome !== undefined, outcome }
      },
    }),
  }
}

function ofServer({ tenant, id: server }: ServerRecord) {
  return { tenant, server }
}

function inputFor(
  ctx: CallContext,
  server: ServerRecord,
  { id: endpoint, url }: Endpoint,
  hello: ClientHello,
): OpenSessionInput {
  const { path, transport, headers: custom, timeoutMs } = server
  const at = { server: path, endpoint, transport, url, custom, timeoutMs }
  return { ...at, hello, hasLogging: hasLogging(server), holder: ctx.facts.principal }
}

type Reopened = Exclude<Recovery, { kind: 'ended' }>

/** A server without sessions negotiated nothing. */
function newestOf({ upstream }: ServerRecord): string {
  const spoken = LEGACY_VERSIONS.find((version) => upstream.protocolVersions.includes(version))
  return spoken ?? LEGACY_VERSIONS[0]
}
