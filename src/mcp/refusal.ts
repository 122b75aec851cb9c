import { type CallContext, GatewayError, toGatewayError } from '../core/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import { errorReply, type RawId, statusOf } from './wire/reply.ts'

export interface RefusalDeps {
  readonly events: Events
  /** The `WWW-Authenticate` for a 403 on `/{path}/mcp`. */
  readonly challenge: (path: string, scope: string) => string
}

/** What was refused: the endpoint, and what is known of the message. */
export interface Refused {
  readonly path: string
  readonly id?: RawId
  readonly inbound?: Parameters<typeof statusOf>[1]
}

/** Turns whatever was thrown at an MCP endpoint into its answer, and says so in the event line. */
export type Refuse = (ctx: CallContext, refused: Refused, thrown: unknown) => Response

/** @see Refuse */
export function createRefusal({ events, challenge }: RefusalDeps): Refuse {
  return (ctx, { path, id = 'null', inbound }, thrown) => {
    const error = challenged(toGatewayError(thrown), (scope) => challenge(path, scope))
    ctx.facts.outcome = ctx.caller.signal.aborted ? 'cancelled' : error.code
    if (error.code === 'internal') emitFault(events, ctx, 'relay', thrown)
    return errorReply(error, id, ctx.requestId, statusOf(error.code, inbound))
  }
}

/** A missing scope can be asked for: whoever answers says where (RFC 6750 section 3.1). */
function challenged(error: GatewayError, challenge: (scope: string) => string): GatewayError {
  const scope = error.detail.data?.['scope']
  if (error.code !== 'insufficient_scope' || typeof scope !== 'string') return error
  const headers = { ...error.detail.headers, 'www-authenticate': challenge(scope) }
  return new GatewayError(error.code, error.message, { ...error.detail, headers })
}
