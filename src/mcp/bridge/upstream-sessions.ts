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
import type { Recovery, UpstreamSession } from '../session/session-state.ts'
import type { LegacySession, Sessions } from '../session/sessions.ts'
import type { ClientHello } from '../upstream/open-session.ts'
import type { Upstreams } from '../upstream/send.ts'
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
  /** For `sendInSession`. */
  keeper(tenant: TenantId): Pick<Sessions, 'currentUpstreamId' | 'recover'>
}

export interface BridgeSessionsDeps {
  readonly upstreams: Pick<Upstreams, 'open'>
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
    const opening = await upstreams.open(
      ctx,
      { server, key: () => bridge },
      ({ id: endpoint, url }) => {
        const { path, transport, headers: custom, timeoutMs } = server
        const at = { server: path, endpoint, transport, url, custom, timeoutMs }
        const input = { ...at, hello, hasLogging: hasLogging(server) }
        const of = { tenant: server.tenant, server: server.id }
        return object(bridge).session(of, input, goneId)
      },
    )
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
    const remembered = known.get(bridge)
    if (remembered && isThere(remembered.session)) {
      if (ctx.clock.now() - remembered.touchedAt > TOUCH_MS) {
        remembered.touchedAt = ctx.clock.now()
        ctx.waitUntil(object(bridge).touch())
      }
      return remembered.session
    }
    const found = await open(ctx, bridge, server, hello)
    return isThere(found) ? found : open(ctx, bridge, server, hello, found.upstreamId)
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
      currentUpstreamId: ({ key, upstreamId }) => known.get(key)?.session.upstreamId ?? upstreamId,

      async recover(ctx, session, failedUpstreamId, input): Promise<Reopened> {
        const { key, server, endpoint, hello } = session
        if (!hello) throw new GatewayError('upstream_failed', 'The session cannot be opened again.')
        const opening = await object(key).session(
          { tenant, server },
          { ...input, endpoint, hello },
          failedUpstreamId,
        )
        if (opening.kind === 'failed') return opening
        if (opening.kind === 'ended') {
          throw new GatewayError('upstream_failed', 'The session ended.')
        }
        remember(ctx, key, opening.session)
        const { outcome } = opening
        const { upstreamId } = opening.session
        return { kind: 'reopened', upstreamId, isNew: outcome !== undefined, outcome }
      },
    }),
  }
}

type Reopened = Exclude<Recovery, { kind: 'ended' }>

/** A server without sessions negotiated nothing. */
function newestOf({ upstream }: ServerRecord): string {
  const spoken = LEGACY_VERSIONS.find((version) => upstream.protocolVersions.includes(version))
  return spoken ?? LEGACY_VERSIONS[0]
}
