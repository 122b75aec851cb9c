import type { CallContext } from '../../core/index.ts'
import { type Outgoing, ownSession } from '../relay/outgoing.ts'
import { sessionRequired } from '../session/session-rules.ts'
import type { SessionStub } from '../session/session-state.ts'
import type { Upstreams } from '../upstream/send.ts'
import { hasLogging } from '../upstream/set-log-level.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import type { RawId } from '../wire/reply.ts'
import { type BridgedAnswer, createAskLegacy } from './ask-legacy.ts'
import { createAskModern, type ModernAnswer } from './ask-modern.ts'
import type { BridgeStub } from './bridge-state.ts'
import { type ClientLines, createClientLines } from './client-lines.ts'
import { createBridgeSessions } from './upstream-sessions.ts'

export type { BridgeStub } from './bridge-state.ts'
export { crosses } from './crossing.ts'
export { createServeBridged, type ServeBridged } from './serve.ts'

/** Takes requests from one era to the other (DESIGN.md, Decision 1; PROTOCOL.md 1.11). */
export interface Bridge {
  /**
   * Sends a request to a server of the other era; its answer is as a server of the client's own era
   * would give it, under `upstreamId`. Throws what `Upstreams.send` throws.
   */
  ask(ctx: CallContext, crossing: Crossing): Promise<BridgedAnswer | ModernAnswer>
  readonly lines: ClientLines
}

/** A request that has to change eras. */
export interface Crossing {
  readonly outgoing: Outgoing
  /** Our id towards the upstream, raw JSON. */
  readonly upstreamId: RawId
  /** Opened from its seal. */
  readonly state?: string
}

export interface BridgeDeps {
  readonly outbound: UpstreamOutbound
  readonly upstreams: Upstreams
  readonly sessionObject: (name: string) => SessionStub
  readonly bridgeObject: (name: string) => BridgeStub
}

/** @see Bridge */
export function createBridge(deps: BridgeDeps): Bridge {
  const { upstreams, outbound, sessionObject, bridgeObject } = deps
  const lines = createClientLines({ object: sessionObject })
  const askModern = createAskModern({ upstreams, lines })
  const sessions = createBridgeSessions({ upstreams, object: bridgeObject })
  const askLegacy = createAskLegacy({ upstreams, outbound, sessions, object: bridgeObject })

  async function forLegacyClient(ctx: CallContext, { outgoing, upstreamId }: Crossing) {
    const client = ownSession(outgoing)
    if (!client) throw sessionRequired()
    // A server that does not log takes no level.
    const logLevel = hasLogging(outgoing.target.server)
      ? await sessionObject(client.key).logLevel()
      : undefined
    const level = logLevel === undefined ? {} : { logLevel }
    return askModern(ctx, { outgoing, client, upstreamId, ...level })
  }

  return {
    lines,
    ask: (ctx, crossing) =>
      crossing.outgoing.inbound.era === 'legacy'
        ? forLegacyClient(ctx, crossing)
        : askLegacy(ctx, crossing),
  }
}
