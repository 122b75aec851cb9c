import type { CallContext } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { RawId } from '../wire/reply.ts'
import type { Outgoing } from './outgoing.ts'
import { cancelRequest, createOneWaySender } from './relay-message.ts'
import type { SendInSessionDeps } from './send-in-session.ts'

/**
 * Tells a server of sessions, behind the response, that nobody waits for this request any more. One
 * that does not hear it goes on for nothing: a `fault` event says so.
 */
export type CancelLate = (ctx: CallContext, outgoing: Outgoing, upstreamId: RawId) => void

export interface CancelLateDeps extends SendInSessionDeps {
  readonly events: Events
}

/**
 * @see CancelLate A legacy server does not take a disconnect for a cancel, and whoever gives a
 * request up should say so (MCP 2025-11-25, Timeouts).
 */
export function createCancelLate(deps: CancelLateDeps): CancelLate {
  const sendOneWay = createOneWaySender(deps)
  return (ctx, { inbound, target, session }, upstreamId) => {
    if (!session) return
    const text = cancelRequest(upstreamId, 'The request took too long.')
    const patient = { ...ctx, caller: new AbortController() }
    const message = { text, target, session, version: inbound.version }
    const failed = (thrown: unknown) => emitFault(deps.events, ctx, 'cancel-late', thrown)
    ctx.waitUntil(sendOneWay(patient, message).catch(failed))
  }
}
