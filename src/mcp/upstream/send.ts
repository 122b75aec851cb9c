import {
  type CallContext,
  type EndpointId,
  type OutboundResult,
  takeDeadline,
  toGatewayError,
} from '../../core/index.ts'
import type { ServerRecord, UpstreamAddress } from '../../registry/index.ts'
import {
  type BreakerProbe,
  type Breakers,
  createBulkhead,
  type Load,
  runDeadline,
  type Seat,
} from '../../resilience/index.ts'
import { cutResponse, whileHeard } from '../wire/cut-response.ts'
import { createPlaces } from './choose-place.ts'
import { closeSession } from './close-session.ts'
import { hearRefusal } from './era-doubt.ts'
import { deadlinePassed, faultError, type Outcome, outcomeOf } from './failure.ts'
import type { RecheckTransport } from './recheck-transport.ts'
import { createSendPolicies, type SendDefaults } from './send-policy.ts'
import { createSendSafely, type Sending, type Sent } from './send-safely.ts'
import type { UpstreamOutbound } from './transports.ts'
import type { Endpoint, UpstreamAnswer, UpstreamCall } from './upstream-call.ts'

export type { Endpoint, UpstreamAnswer, UpstreamCall } from './upstream-call.ts'

/** What a handshake made elsewhere says of its endpoint. */
interface Opened {
  readonly outcome?: Outcome | undefined
  /** The HTTP status that refused it. */
  readonly status?: number | undefined
}

/** Picks an endpoint, asks its breaker, sends, tells the breaker. */
export interface Upstreams {
  /** Throws `upstream_unavailable`, `upstream_timeout`, `upstream_failed` or `no_capacity`. */
  send(ctx: CallContext, call: UpstreamCall): Promise<UpstreamAnswer>
  /**
   * For a handshake that is made elsewhere: picks an endpoint, asks its breaker, runs, and tells the
   * breaker what came of it. A `status` that refused it may speak of another transport or era.
   * Throws `upstream_unavailable`, and what `run` throws.
   */
  open<T extends Opened>(
    ctx: CallContext,
    where: Pick<UpstreamCall, 'server' | 'pinned' | 'key'>,
    run: (endpoint: Endpoint) => Promise<T>,
  ): Promise<T>
  /** Whether a call there would be refused unsent: its breaker is open, as far as is known here. */
  isOpen(ctx: CallContext, endpoint: EndpointId): boolean
  /** Tells an upstream that its session is over. Never throws. */
  close(server: ServerRecord, endpoint: EndpointId, sessionId: string): Promise<void>
  /** For an answer that was judged and found sound. */
  reportSound(ctx: CallContext, endpoint: EndpointId, probe?: BreakerProbe): void
  /** For a stream that broke after its headers were accepted. */
  reportBroken(ctx: CallContext, endpoint: EndpointId, probe?: BreakerProbe): void
  /** For an answer of which nothing can be said: its caller left. */
  reportLeft(ctx: CallContext, endpoint: EndpointId, probe?: BreakerProbe): void
}

export interface UpstreamsDeps {
  readonly outbound: UpstreamOutbound
  readonly breakers: Breakers
  readonly load: Load
  readonly sending: SendDefaults
  readonly recheckTransport?: RecheckTransport
}

const NOTHING_TO_END = (): void => undefined

/** @see Upstreams */
export function createUpstreams(deps: UpstreamsDeps): Upstreams {
  const { outbound, breakers, load, recheckTransport } = deps
  const policies = createSendPolicies(deps.sending)
  const tenants = createBulkhead()
  const places = createPlaces({ tenants, breakers, load, defaults: deps.sending })
  const sendSafely = createSendSafely({ places, sendOnce, reportLeft })

  /** Chooses where, sends, tells the breaker. */
  async function sendOnce(
    sending: Sending,
    signal = sending.signal,
    mayWait = true,
  ): Promise<Sent> {
    const { ctx, call, policy, tried, deadline } = sending
    const choosing = places.choose(ctx, { call, policy, tried, signal, mayWait })
    const { endpoint, probe, seat } = choosing instanceof Promise ? await choosing : choosing
    if (!tried.includes(endpoint.id)) tried.push(endpoint.id)
    const startedAt = ctx.clock.now()
    ctx.facts.endpoint = endpoint.id
    ctx.facts.attempts = (ctx.facts.attempts ?? 0) + 1
    const end = begin(ctx, call, endpoint, seat)
    const send = call.send ?? outbound.send
    // Of no copy of a call, nor of one whose time is bounded as a whole.
    const spare = signal === undefined && !call.send ? takeDeadline(ctx) : undefined
    // Whose request is to end with it needs no more to be left when its time is up.
    const last = spare && isLast(call) ? true : undefined
    let result: OutboundResult
    try {
      result = await send({
        endpoint: endpoint.id,
        transport: call.server.transport,
        url: endpoint.url,
        method: call.method,
        headers: call.headers,
        body: call.body,
        timeoutMs: call.server.timeoutMs,
        holder: ctx.facts.principal,
        signal: last ? undefined : (signal ?? ctx.caller.signal),
        keepsDeadline: call.keepsDeadline,
        isLast: last,
        deadline: spare,
        onSent: call.onSent,
      })
    } catch (thrown) {
      end()
      breakers.record(ctx, endpoint.id, 'abandoned', probe)
      throw thrown
    }
    const latencyMs = ctx.clock.now() - startedAt
    // A copy that lost ends after the one whose time counts.
    if (signal === sending.signal || !signal?.aborted) ctx.facts.upstreamMs = latencyMs
    // An upstream that needs longer than a call may take is too slow, and so not well.
    const outcome = outcomeOf(result) ?? (deadline?.isPassed() ? 'failure' : 'abandoned')
    // A success between two broken answers would keep the breaker closed for ever.
    const isToBeJudged = call.isJudged && result.kind === 'response' && result.response.ok
    if (!(isToBeJudged && outcome === 'success')) {
      breakers.record(ctx, endpoint.id, outcome, probe)
    }
    if (result.kind === 'fault') end()
    // How fast it fails says nothing of how fast it is.
    return {
      endpoint,
      probe,
      result,
      end: () => end(outcome === 'success' ? latencyMs : undefined),
    }
  }

  /** A stream that a client opened lasts for hours and does nothing, and a message is no call. */
  function begin(
    ctx: CallContext,
    { isJudged }: UpstreamCall,
    endpoint: Endpoint,
    seat: Seat<EndpointId> | undefined,
  ): (latencyMs?: number) => void {
    if (!isJudged) return NOTHING_TO_END
    const over = load.begin(ctx, endpoint.id)
    if (!seat) return over
    return (latencyMs) => {
      over(latencyMs)
      places.leave(ctx, seat)
    }
  }

  function reportLeft(ctx: CallContext, endpoint: EndpointId, probe?: BreakerProbe): void {
    breakers.record(ctx, endpoint, 'abandoned', probe)
  }

  /** What was refused may not speak any more what it spoke. Gives the response to use instead. */
  function recheck(
    ctx: CallContext,
    call: UpstreamCall,
    endpoint: EndpointId,
    response: Response,
  ): Response {
    if (!recheckTransport) return response
    const { status } = response
    const refused = { ...call, isInSession: call.headers.has('mcp-session-id'), status }
    recheckTransport(ctx, endpoint, refused)
    if (status !== 400 || call.method !== 'POST') return response
    return hearRefusal(ctx, call, response, () =>
      recheckTransport(ctx, endpoint, { ...refused, isOfAnotherEra: true }),
    )
  }

  return {
    async send(ctx, call) {
      const { server } = call
      const policy = policies(server)
      const deadline =
        call.deadline && runDeadline(call.deadline, ctx.caller.signal, ctx.clock.now())
      const signal = deadline?.signal
      const sending: Sending = { ctx, call, policy, tried: [], deadline, signal }
      let seat: Seat | undefined
      let sent: Sent | undefined
      const release = (): void => {
        sent?.end()
        if (seat) tenants.leave(seat, ctx.clock.now())
        deadline?.end()
      }
      try {
        if (call.isJudged) seat = places.enterTenant(ctx, server) ?? (await places.wait(sending))
        policy.noteCall()
        sent = await (call.canRetry ? sendSafely(sending) : sendOnce(sending))
        const { endpoint, probe, result } = sent
        if (result.kind === 'fault') {
          throw faultError(result.fault, server.path, server.timeoutMs, call.canRetry)
        }
        const { bodyDeadline } = result
        const response = result.response.ok
          ? result.response
          : recheck(ctx, call, endpoint.id, whileHeard(ctx, result.response, result.bodyDeadline))
        const end = (): void => {
          release()
          bodyDeadline?.release()
        }
        if (!deadline) return { kind: 'answer', endpoint, probe, response, bodyDeadline, end }
        return {
          kind: 'answer',
          endpoint,
          probe,
          response: cutResponse(response, deadline.signal),
          bodyDeadline,
          end,
          lateAfterMs: () => (deadline.isPassed() ? call.deadline?.ms : undefined),
        }
      } catch (thrown) {
        release()
        const isLate = deadline?.isPassed() && !ctx.caller.signal.aborted
        if (isLate && call.deadline && toGatewayError(thrown).code !== 'no_capacity') {
          throw deadlinePassed(server.path, call.deadline.ms)
        }
        throw thrown
      }
    },

    async open(ctx, where, run) {
      const { endpoint, probe } = await places.choose(ctx, { call: where, tried: [] })
      ctx.facts.endpoint = endpoint.id
      const opened = await run(endpoint).catch((thrown: unknown) => {
        reportLeft(ctx, endpoint.id, probe)
        throw thrown
      })
      const { outcome, status } = opened
      breakers.record(ctx, endpoint.id, outcome ?? 'abandoned', probe)
      if (status !== undefined) {
        const refused = { method: 'POST', isInSession: false, isHandshake: true } as const
        recheckTransport?.(ctx, endpoint.id, { server: where.server, ...refused, status })
      }
      return opened
    },

    isOpen: (ctx, endpoint) => breakers.peek(endpoint, ctx.clock.now()) === 'open',

    async close(server, endpointId, sessionId) {
      const endpoint = server.endpoints.find(({ id }) => id === endpointId)
      if (!endpoint) return
      await closeSession(outbound, addressOf(server, endpoint), sessionId)
    },

    reportSound(ctx, endpoint, probe) {
      breakers.record(ctx, endpoint, 'success', probe)
    },

    reportBroken(ctx, endpoint, probe) {
      breakers.record(ctx, endpoint, 'failure', probe)
    },

    reportLeft,
  }
}

/** Whether its caller is answered with what it comes to: it is neither sent again nor bridged. */
function isLast({ canRetry, keepsDeadline }: UpstreamCall): boolean {
  return !canRetry && keepsDeadline === true
}

/** Where and how to reach one endpoint of a server. */
export function addressOf(
  { transport, headers, timeoutMs }: Pick<ServerRecord, 'transport' | 'headers' | 'timeoutMs'>,
  { id: endpoint, url }: Pick<Endpoint, 'id' | 'url'>,
): UpstreamAddress {
  return { endpoint, transport, url, headers, timeoutMs }
}
