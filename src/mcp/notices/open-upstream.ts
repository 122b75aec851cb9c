import { type CallContext, GatewayError } from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import type { Upstreams } from '../upstream/send.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import { openListen } from './listen-upstream.ts'
import { type Change, isNothing, type Wanted } from './notice.ts'
import { openSessionWatch } from './session-upstream.ts'
import type { WatchOpening, WatchRequest } from './upstream-watch.ts'

export interface OpenUpstreamDeps {
  readonly outbound: UpstreamOutbound
  readonly upstreams: Pick<Upstreams, 'open'>
}

/**
 * Asks a server to tell of its changes, in the modern era where it speaks that: one stream for all.
 * One that speaks both and does not listen in the modern one is asked in the other.
 */
export async function openUpstream(
  { outbound, upstreams }: OpenUpstreamDeps,
  ctx: CallContext,
  server: ServerRecord,
  wanted: Wanted,
  hear: (change: Change) => void,
): Promise<WatchOpening> {
  const { path, headers, timeoutMs, transport } = server
  try {
    return await upstreams.open(ctx, { server }, async ({ id: endpoint, url }) => {
      const address = { endpoint, transport, url, headers, timeoutMs }
      const uuid = () => ctx.random.uuid()
      const request = { outbound, server: path, address, wanted, uuid, hear }
      const { eras } = server.upstream
      if (eras === 'legacy') return openSessionWatch(request)
      const opening = await openAll(request)
      return opening.kind === 'refused' && eras === 'dual' ? openSessionWatch(request) : opening
    })
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    // Its breaker is open: it is left alone for a while.
    return { kind: 'failed', outcome: undefined }
  }
}

/** A server that will not hear of a task must not cost the others what else it tells. */
async function openAll(request: WatchRequest): Promise<WatchOpening> {
  const opening = await openListen(request)
  const { lists, uris, tasks } = request.wanted
  const rest = { lists, uris }
  if (opening.kind !== 'refused' || !tasks || isNothing(rest)) return opening
  return openListen({ ...request, wanted: rest })
}
