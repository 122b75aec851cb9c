import type { CallContext, TenantId } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import { tellAll } from '../upstream/courtesy.ts'
import type { Upstreams } from '../upstream/send.ts'
import type { UpstreamSession } from './session-state.ts'

/** An upstream session, and where its server was when it was opened. */
export type Closing = Pick<UpstreamSession, 'server' | 'endpoint' | 'upstreamId'> & {
  readonly path: string
}

/** Ends upstream sessions, as far as their servers are still what they were. Never throws. */
export type CloseUpstreams = (
  ctx: CallContext,
  tenant: TenantId,
  sessions: readonly Closing[],
) => Promise<void>

/** @see CloseUpstreams */
export function createCloseUpstreams(deps: {
  readonly snapshots: Pick<Snapshots, 'tenant'>
  readonly upstreams: Pick<Upstreams, 'close'>
  readonly events: Events
}): CloseUpstreams {
  return async (ctx, tenant, sessions) => {
    const failed = (thrown: unknown) => emitFault(deps.events, ctx, 'session.end', thrown)
    try {
      const snapshot = await deps.snapshots.tenant(ctx, tenant)
      await tellAll(
        sessions,
        async ({ path, server: id, endpoint, upstreamId }) => {
          const server = await snapshot.server(ctx, path)
          // The path may have become that of another server.
          if (server?.id === id) await deps.upstreams.close(server, endpoint, upstreamId)
        },
        failed,
      )
    } catch (thrown) {
      failed(thrown)
    }
  }
}
