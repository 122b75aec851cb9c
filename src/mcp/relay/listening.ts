import {
  type CallContext,
  type EndpointId,
  GatewayError,
  type Principal,
  toGatewayError,
} from '../../core/index.ts'
import { notFoundServer } from '../../policy/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import type { InboundNotification } from '../eras.ts'
import { type Arrival, arriveIn } from './arrive.ts'
import { authorise, type Target } from './target.ts'

/**
 * Asks again for a stream that is open: a request is judged once, and a stream is told things for
 * hours (DESIGN.md, Decision 4). Costs no I/O while the snapshot is young. Throws
 * `unauthenticated` when the token has expired, `not_found`, `policy_unavailable`.
 */
export async function arriveAgain(
  ctx: CallContext,
  snapshots: Pick<Snapshots, 'tenant'>,
  principal: Principal,
  path: string,
): Promise<Arrival> {
  if (principal.expiresAt <= ctx.clock.now()) {
    throw new GatewayError('unauthenticated', 'The token has expired.')
  }
  const snapshot = await snapshots.tenant(ctx, principal.tenant)
  return arriveIn(ctx, snapshot, principal, path)
}

/** The server at an endpoint, for a caller who still may hear it. Throws what refuses it. */
export async function authoriseAgain(
  ctx: CallContext,
  snapshots: Snapshots,
  principal: Principal,
  path: string,
): Promise<Target> {
  const { actor, resolved } = await arriveAgain(ctx, snapshots, principal, path)
  if (resolved.kind === 'shared') throw notFoundServer(path)
  const target = { actor, server: resolved.server }
  requireHearing(target)
  return target
}

/** Whether what is being told may still be told, and the endpoint that tells it still stands. */
export async function mayGoOn(
  ctx: CallContext,
  { target, targetNow }: { readonly target: Target; readonly targetNow: () => Promise<Target> },
  endpoint: EndpointId,
): Promise<boolean> {
  try {
    const { server } = await targetNow()
    return server.id === target.server.id && server.endpoints.some(({ id }) => id === endpoint)
  } catch (thrown) {
    ctx.facts.outcome = toGatewayError(thrown).code
    return false
  }
}

/** Throws what refuses the caller to hear the server. */
export function requireHearing(target: Target): void {
  authorise(target, LISTENING)
}

/** To listen is to be told: whoever may send a server notifications may hear its own. */
export const LISTENING: InboundNotification = {
  kind: 'notification',
  era: 'legacy',
  text: '',
  method: 'notifications/message',
  params: {},
}
