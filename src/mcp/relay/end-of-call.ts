import type { CallContext } from '../../core/index.ts'
import type { Running } from '../session/in-flight.ts'
import type { UpstreamAnswer, Upstreams } from '../upstream/send.ts'
import type { StreamEnd } from '../wire/pump.ts'

/**
 * What an endpoint's breaker is still to learn of an answer that was made of the endpoint's own;
 * `told` when it knows all of it.
 */
export type Judgement = 'sound' | 'broken' | 'told'

/** An answer of an endpoint, or one that was made of it and says how that was. */
export interface EndingAnswer extends UpstreamAnswer {
  readonly judgement?: () => Judgement
}

/** What follows from how an answer ended: for the call, its event line and the endpoint's breaker. */
export function endOfCall(
  ctx: CallContext,
  upstreams: Upstreams,
  { endpoint, probe, response, end: endAnswer, judgement }: EndingAnswer,
  running: Running,
): (end: StreamEnd) => void {
  let isOver = false
  return (end) => {
    if (isOver) return
    isOver = true
    endAnswer()
    const judged = judgement?.() ?? (response.ok ? 'sound' : 'told')
    // A caller who leaves closes the upstream's connection too: no fault of the upstream.
    const isLeft = end === 'cancelled' || (end === 'broken' && ctx.caller.signal.aborted)
    // To leave is not to cancel (MCP 2025-11-25, Sending messages to the server): that may follow.
    if (end === 'suspended' || isLeft) running.suspend()
    else running.forget()
    if (isLeft) {
      ctx.facts.outcome = 'cancelled'
      upstreams.reportLeft(ctx, endpoint.id, probe)
      return
    }
    if (end === 'bounded') {
      ctx.facts.outcome = 'upstream_failed'
      upstreams.reportLeft(ctx, endpoint.id, probe)
      return
    }
    if (end === 'broken' || end === 'faulty' || judged === 'broken') {
      // What half an answer said of itself counts for nothing; a reason of ours stands.
      const isOurs = !['rpc_error', 'tool_error', undefined].includes(ctx.facts.outcome)
      if (end === 'broken' && !isOurs) ctx.facts.outcome = 'upstream_failed'
      upstreams.reportBroken(ctx, endpoint.id, probe)
      return
    }
    if (judged === 'sound') upstreams.reportSound(ctx, endpoint.id, probe)
  }
}
