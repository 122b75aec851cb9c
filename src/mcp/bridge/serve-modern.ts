import { type CallContext, GatewayError } from '../../core/index.ts'
import type { Inbound } from '../eras.ts'
import { rawIdOf } from '../inbound-text.ts'
import type { Outgoing } from '../relay/outgoing.ts'
import type { Target } from '../relay/target.ts'
import { acceptedReply, resultReply } from '../wire/reply.ts'
import { discoverResult } from './faces.ts'

/** A message of a modern client for one server that speaks the legacy era alone. */
export interface ModernVisit {
  readonly inbound: Inbound
  readonly headers: Headers
  readonly target: Target
}

export interface ServeModernDeps {
  readonly relayRequest: (ctx: CallContext, outgoing: Outgoing) => Promise<Response>
}

/** What the modern era gave up, or has in another form (PROTOCOL.md 1.2). */
const NOT_CARRIED = /^(initialize|ping|logging\/setLevel|resources\/(un)?subscribe|tasks\/.*)$/

/** Serves a modern client of one legacy server (PROTOCOL.md 1.11). */
export function createServeModern({ relayRequest }: ServeModernDeps) {
  return async function serveModern(ctx: CallContext, visit: ModernVisit): Promise<Response> {
    const { inbound, target } = visit
    // A modern client has nothing to notify over HTTP: a disconnect is its cancel.
    if (inbound.kind !== 'request') return acceptedReply()
    if (inbound.method === 'server/discover') {
      return resultReply(JSON.stringify(discoverResult(target.server.upstream)), rawIdOf(inbound))
    }
    if (NOT_CARRIED.test(inbound.method)) {
      throw new GatewayError('method_not_found', 'Method not found')
    }
    return relayRequest(ctx, { ...visit, inbound })
  }
}
