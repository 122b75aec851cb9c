import type { CallContext, EndpointId, OutboundResult } from '../../core/index.ts'
import { attempt, type BreakerProbe, hedge, type RunningDeadline } from '../../resilience/index.ts'
import { eligible, type Places } from './choose-place.ts'
import { isPassing, outcomeOf, retryAfterMsOf } from './failure.ts'
import type { SendPolicy } from './send-policy.ts'
import type { Endpoint, UpstreamCall } from './upstream-call.ts'

/** One call on its way. */
export interface Sending {
  readonly ctx: CallContext
  readonly call: UpstreamCall
  readonly policy: SendPolicy
  /** Endpoints that it was sent to. */
  readonly tried: EndpointId[]
  readonly deadline: RunningDeadline | undefined
  /** Aborted when the caller leaves, or the time is over; absent where the context's own will do. */
  readonly signal: AbortSignal | undefined
}

/** What one sending came to. */
export interface Sent {
  readonly endpoint: Endpoint
  readonly probe: BreakerProbe | undefined
  readonly result: OutboundResult
  readonly end: () => void
}

export interface SendSafelyDeps {
  readonly places: Pick<Places, 'isElsewhere'>
  /** `signal` ends this sending alone; one that may not wait is sent elsewhere or not at all. */
  readonly sendOnce: (
    sending: Sending,
    signal: AbortSignal | undefined,
    mayWait: boolean,
  ) => Promise<Sent>
  readonly reportLeft: (ctx: CallContext, endpoint: EndpointId, probe?: BreakerProbe) => void
}

/** What a call came to whose caller left, or whose time was over, before it was sent again. */
const LEFT: OutboundResult = { kind: 'fault', fault: 'cancelled', message: 'left in a pause' }

/** Sends what may be sent twice: again when it failed, and twice at once when it takes too long. */
export function createSendSafely({ places, sendOnce, reportLeft }: SendSafelyDeps) {
  return async function sendSafely(sending: Sending): Promise<Sent> {
    const { ctx, call, policy, tried, deadline, signal } = sending
    let isLetGo = false
    const sent = await attempt<Sent>({
      ctx: { random: ctx.random, caller: signal ? { signal } : ctx.caller },
      maxAttempts: policy.maxAttempts,
      run() {
        isLetGo = false
        return mayBeHedged(call, policy) ? sendHedged(sending) : sendOnce(sending, signal, true)
      },
      isRetryable: ({ result }) => isPassing(result),
      // It asks for itself alone: the next attempt goes elsewhere when there is an elsewhere.
      askedPauseMs: ({ result }) =>
        tried.length < eligible(call).length ? 0 : retryAfterMsOf(result, ctx.clock.now()),
      leftMs: () => deadline?.leftMs(ctx.clock.now()) ?? Number.POSITIVE_INFINITY,
      mayRetry: () => policy.payRetry(ctx.clock.now()),
      letGo(failed) {
        isLetGo = true
        ctx.waitUntil(letGo(failed))
      },
    })
    return isLetGo ? { ...sent, result: LEFT } : sent
  }

  async function sendHedged(sending: Sending): Promise<Sent> {
    const { ctx, policy, signal = ctx.caller.signal } = sending
    const sent = await hedge<Sent>({
      signal,
      afterMs: policy.hedgeAfterMs ?? 0,
      run: (copy, of) => sendOnce(sending, of, copy === 'first'),
      mayHedge: () => places.isElsewhere(ctx, sending) && policy.payRetry(ctx.clock.now()),
      isGood: ({ result }) => outcomeOf(result) === 'success',
      discard(loser) {
        // What would have been judged is not, and says nothing.
        if (loser.result.kind === 'response') reportLeft(ctx, loser.endpoint.id, loser.probe)
        ctx.waitUntil(letGo(loser))
      },
      waitUntil: (work) => ctx.waitUntil(work),
    })
    ctx.facts.endpoint = sent.endpoint.id
    return sent
  }
}

/** A second copy goes elsewhere, and what is pinned cannot; what an object sends it sends once. */
function mayBeHedged(call: UpstreamCall, { hedgeAfterMs }: SendPolicy): boolean {
  const isFree = call.method === 'POST' && call.pinned === undefined && call.send === undefined
  return hedgeAfterMs !== undefined && isFree && call.server.endpoints.length > 1
}

/** A body that nobody reads would keep its connection. */
async function letGo({ result, end }: Sent): Promise<void> {
  end()
  if (result.kind !== 'response') return
  result.bodyDeadline?.release()
  await result.response.body?.cancel().catch(() => undefined)
}
