import type { CallContext } from '../../core/index.ts'
import type { DiscoverUpstream, Discovery, UpstreamFacts } from '../../registry/index.ts'
import { discoverOver } from './discover-over.ts'
import { createTransportDoubt } from './transport-doubt.ts'
import type { UpstreamOutbound } from './transports.ts'

/**
 * Asks an upstream what it is and offers, over one transport after the other, as long as each is
 * refused in a way that speaks of another one. Throws `upstream_unreachable` saying what failed.
 */
export function createDiscover(outbound: UpstreamOutbound): DiscoverUpstream {
  return async (ctx, upstream, { known, ...options }) => {
    if (known && known.eras !== 'unknown') {
      try {
        return await ask(ctx, upstream, options, known)
      } catch {
        // It may have become another one since: then it is asked like one that nobody knows.
      }
    }
    return ask(ctx, upstream, options)
  }

  async function ask(
    ctx: CallContext,
    upstream: Parameters<DiscoverUpstream>[1],
    { transports, triesLegacy }: Omit<Parameters<DiscoverUpstream>[2], 'known'>,
    known?: UpstreamFacts,
  ): Promise<Discovery> {
    let first: unknown
    for (const transport of transports) {
      const doubt = createTransportDoubt()
      try {
        return await discoverOver(
          outbound,
          ctx,
          { ...upstream, transport },
          {
            ...{ triesLegacy, doubt },
            ...(known ? { known } : {}),
          },
        )
      } catch (thrown) {
        // What the first one failed for is what its owner can mend.
        first ??= thrown
        if (!doubt.isRaised()) break
      }
    }
    throw first
  }
}
