import {
  andThen,
  type CallContext,
  type MaybePromise,
  type ServerId,
  setBounded,
} from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { Probes, ServerRecord } from '../../registry/index.ts'
import { askLegacySide, type LegacySide, withLegacySide } from '../upstream/legacy-side.ts'
import { addressOf, type Upstreams } from '../upstream/send.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'

export interface SettleEraDeps {
  readonly events: Events
  readonly outbound: UpstreamOutbound
  readonly upstreams: Pick<Upstreams, 'open'>
  readonly probes: Pick<Probes, 'storeFacts'>
}

/** @see createSettleEra */
export type SettleEra = (ctx: CallContext, server: ServerRecord) => MaybePromise<ServerRecord>

/** How long this isolate goes by an answer of its own, where it is not in the registry (yet). */
const KEEP_MS = 30_000
/** Servers whose answer is remembered; oldest out. */
const MAX_REMEMBERED = 2_000

/** What a server said; settled values only, since a promise belongs to one request's I/O. */
interface Settled {
  readonly side: LegacySide | undefined
  readonly at: number
}

/**
 * The server as it is known once a legacy client has come: one that answered in the modern era is
 * asked for the legacy handshake now, and what it says is stored for everybody. Throws
 * `upstream_timeout` or `upstream_failed` when it says nothing, `upstream_unavailable` when it is
 * left alone.
 */
export function createSettleEra(deps: SettleEraDeps): SettleEra {
  const settled = new Map<ServerId, Settled>()

  function remembered(ctx: CallContext, id: ServerId): Settled | undefined {
    const known = settled.get(id)
    const ageMs = ctx.clock.now() - (known?.at ?? 0)
    return ageMs >= 0 && ageMs < KEEP_MS ? known : undefined
  }

  async function ask(ctx: CallContext, server: ServerRecord): Promise<LegacySide | undefined> {
    const answer = await deps.upstreams.open(ctx, { server }, (endpoint) =>
      askLegacySide(deps.outbound, server.path, addressOf(server, endpoint), ctx.caller.signal),
    )
    if (answer.kind === 'unsettled') throw answer.error
    setBounded(settled, server.id, { side: answer.side, at: ctx.clock.now() }, MAX_REMEMBERED)
    // Two may ask at once and say the same; that one of them does not store it harms nobody.
    await deps.probes
      .storeFacts(ctx, server, withLegacySide(server.upstream, answer.side))
      .catch((thrown: unknown) => emitFault(deps.events, ctx, 'settle-era', thrown))
    return answer.side
  }

  return (ctx, server) => {
    if (server.upstream.legacy !== 'untried') return server
    const known = remembered(ctx, server.id)
    return andThen(known ? known.side : ask(ctx, server), (side) => ({
      ...server,
      upstream: withLegacySide(server.upstream, side),
    }))
  }
}
