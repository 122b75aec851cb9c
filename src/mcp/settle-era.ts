import type { CallContext, Outbound } from '../core/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import type { Probes, ServerRecord } from '../registry/index.ts'
import { askLegacySide, withLegacySide } from './upstream/legacy-side.ts'
import type { Upstreams } from './upstream/send.ts'

export interface SettleEraDeps {
  readonly events: Events
  readonly outbound: Outbound
  readonly upstreams: Pick<Upstreams, 'pick'>
  readonly probes: Pick<Probes, 'storeFacts'>
}

/** @see createSettleEra */
export type SettleEra = (ctx: CallContext, server: ServerRecord) => Promise<ServerRecord>

/**
 * The server as it is known once a legacy client has come: one that answered in the modern era is
 * asked for the legacy handshake now, and what it says is stored for everybody. Throws
 * `upstream_timeout` when it says nothing, `upstream_unavailable` when it is left alone.
 */
export function createSettleEra(deps: SettleEraDeps): SettleEra {
  return async (ctx, server) => {
    if (server.upstream.legacy !== 'untried') return server
    const { url } = await deps.upstreams.pick(ctx, server)
    const { path, headers, timeoutMs } = server
    const side = await askLegacySide(deps.outbound, path, { url, headers, timeoutMs })
    const upstream = withLegacySide(server.upstream, side)
    // Two may ask at once and say the same; that one of them cannot store it harms nobody.
    await deps.probes
      .storeFacts(ctx, server, upstream)
      .catch((thrown: unknown) => emitFault(deps.events, ctx, 'settle-era', thrown))
    return { ...server, upstream }
  }
}
