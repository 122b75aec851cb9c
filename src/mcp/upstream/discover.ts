import type { DiscoverUpstream } from '../../registry/index.ts'
import { discoverOver } from './discover-over.ts'
import { createTransportDoubt } from './transport-doubt.ts'
import type { UpstreamOutbound } from './transports.ts'

/**
 * Asks an upstream what it is and offers, over one transport after the other, as long as each is
 * refused in a way that speaks of another one. Throws `upstream_unreachable` saying what failed.
 */
export function createDiscover(outbound: UpstreamOutbound): DiscoverUpstream {
  return async (ctx, upstream, { transports, triesLegacy }) => {
    let first: unknown
    for (const transport of transports) {
      const doubt = createTransportDoubt()
      try {
        return await discoverOver(outbound, ctx, { ...upstream, transport }, { triesLegacy, doubt })
      } catch (thrown) {
        // What the first one failed for is what its owner can mend.
        first ??= thrown
        if (!doubt.isRaised()) break
      }
    }
    throw first
  }
}
