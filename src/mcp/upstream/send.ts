import {
  type CallContext,
  type EndpointId,
  GatewayError,
  type OutboundResult,
} from '../../core/index.ts'
import type { ServerRecord, UpstreamAddress } from '../../registry/index.ts'
import { attempt, type Breakers, chooseEndpoint } from '../../resilience/index.ts'
import { closeSession } from './close-session.ts'
import { faultError, isPassing, type Outcome, outcomeOf } from './failure.ts'
import type { RecheckTransport } from './recheck-transport.ts'
import type { UpstreamOutbound } from './transports.ts'

export type Endpoint = ServerRecord['endpoints'][number]

/** One message for one server. */
export interface UpstreamCall {
  readonly server: ServerRecord
  readonly method: 'POST' | 'GET'
  readonly headers: Headers
  /** Absent for GET. */
  readonly body?: string
  /** A legacy session stays on the endpoint that opened it. */
  readonly pinned?: EndpointId
  /** The breaker learns of a success by `reportSound`, once the answer was judged. */
  readonly isJudged?: true
  /** How it is sent, where it is not by ourselves. */
  readonly send?: UpstreamOutbound['send']
  /** Sending twice does no harm. */
  readonly canRetry: boolean
}

export interface UpstreamAnswer {
  readonly endpoint: Endpoint
  readonly response: Response
}

/** What a handshake made elsewhere says of its endpoint. */
interface Opened {
  readonly outcome?: Outcome | undefined
  /** The HTTP status that refused it. */
  readonly status?: number | undefined
}

/** Picks an endpoint, asks its breaker, sends, tells the breaker. */
export interface Upstreams {
  /** Throws `upstream_unavailable`, `upstream_timeout` or `upstream_failed`. */
  send(ctx: CallContext, call: UpstreamCall): Promise<UpstreamAnswer>
  /**
   * For a handshake that is made elsewhere: picks an endpoint, asks its breaker, runs, and tells the
   * breaker what came of it. A `status` that refused it may speak of another transport. Throws
   * `upstream_unavailable`, and what `run` throws.
   */
  open<T extends Opened>(
    ctx: CallContext,
    where: Pick<UpstreamCall, 'server' | 'pinned'>,
    run: (endpoint: Endpoint) => Promise<T>,
  ): Promise<T>
  /** Tells an upstream that its session is over. Never throws. */
  close(server: ServerRecord, endpoint: EndpointId, sessionId: string): Promise<void>
  /** For an answer that was judged and found sound. */
  reportSound(ctx: CallContext, endpoint: EndpointId): void
  /** For a stream that broke after its headers were accepted. */
  reportBroken(ctx: CallContext, endpoint: EndpointId): void
}

export interface UpstreamsDeps {
  readonly outbound: UpstreamOutbound
  readonly breakers: Breakers
  readonly recheckTransport?: RecheckTransport
}

/** @see Upstreams */
export function createUpstreams({
  outbound,
  breakers,
  recheckTransport,
}: UpstreamsDeps): Upstreams {
  async function sendOnce(
    ctx: CallContext,
    call: UpstreamCall,
    tried: Set<EndpointId>,
  ): Promise<{ endpoint: Endpoint; result: OutboundResult }> {
    const endpoint = await choose(ctx, call, tried)
    tried.add(endpoint.id)
    const startedAt = ctx.clock.now()
    ctx.facts.endpoint = endpoint.id
    ctx.facts.attempts = (ctx.facts.attempts ?? 0) + 1
    const send = call.send ?? outbound.send
    const result = await send({
      endpoint: endpoint.id,
      transport: call.server.transport,
      url: endpoint.url,
      method: call.method,
      headers: call.headers,
      ...(call.body === undefined ? {} : { body: call.body }),
      timeoutMs: call.server.timeoutMs,
      signal: ctx.signal,
    })
    ctx.facts.upstreamMs = ctx.clock.now() - startedAt
    const outcome = outcomeOf(result)
    // A success between two broken answers would keep the breaker closed for ever.
    const isToBeJudged = call.isJudged && result.kind === 'response' && result.response.ok
    if (outcome && !(isToBeJudged && outcome === 'success')) {
      breakers.record(ctx, endpoint.id, outcome)
    }
    return { endpoint, result }
  }

  /** A second attempt goes elsewhere when there is an elsewhere. */
  async function choose(
    ctx: CallContext,
    { server, pinned }: Pick<UpstreamCall, 'server' | 'pinned'>,
    tried: ReadonlySet<EndpointId>,
  ): Promise<Endpoint> {
    const own = server.endpoints.filter(({ id }) => pinned === undefined || id === pinned)
    const fresh = own.filter(({ id }) => !tried.has(id))
    const endpoints = fresh.length > 0 ? fresh : own
    const choice = await chooseEndpoint(ctx, {
      breakers: breakers.of(server),
      balancer: 'weighted-random',
      endpoints,
    })
    if (choice.kind === 'endpoint') return choice.endpoint
    throw unavailable(server, choice.retryAfterSeconds)
  }

  return {
    async send(ctx, call) {
      const tried = new Set<EndpointId>()
      let failed: OutboundResult | undefined
      const { endpoint, result } = await attempt({
        ctx,
        maxAttempts: 2,
        canRetry: call.canRetry,
        async run() {
          // A body that nobody reads would keep the connection of the first attempt.
          if (failed?.kind === 'response') await failed.response.body?.cancel()
          const sent = await sendOnce(ctx, call, tried)
          failed = sent.result
          return sent
        },
        isRetryable: ({ result }) => isPassing(result),
      })
      if (result.kind === 'response') {
        const { status } = result.response
        const isInSession = call.headers.has('mcp-session-id')
        recheckTransport?.(ctx, endpoint.id, { ...call, isInSession, status })
        return { endpoint, response: result.response }
      }
      throw faultError(result.fault, call.server.path, call.server.timeoutMs)
    },

    async open(ctx, where, run) {
      const endpoint = await choose(ctx, where, new Set())
      ctx.facts.endpoint = endpoint.id
      const opened = await run(endpoint)
      const { outcome, status } = opened
      if (outcome) breakers.record(ctx, endpoint.id, outcome)
      if (status !== undefined) {
        const refused = { server: where.server, method: 'POST', isInSession: false } as const
        recheckTransport?.(ctx, endpoint.id, { ...refused, status })
      }
      return opened
    },

    async close(server, endpointId, sessionId) {
      const endpoint = server.endpoints.find(({ id }) => id === endpointId)
      if (!endpoint) return
      await closeSession(outbound, addressOf(server, endpoint), sessionId)
    },

    reportSound(ctx, endpoint) {
      breakers.record(ctx, endpoint, 'success')
    },

    reportBroken(ctx, endpoint) {
      breakers.record(ctx, endpoint, 'failure')
    },
  }
}

/** Where and how to reach one endpoint of a server. */
export function addressOf(
  { transport, headers, timeoutMs }: Pick<ServerRecord, 'transport' | 'headers' | 'timeoutMs'>,
  { id: endpoint, url }: Pick<Endpoint, 'id' | 'url'>,
): UpstreamAddress {
  return { endpoint, transport, url, headers, timeoutMs }
}

function unavailable(server: ServerRecord, retryAfterSeconds: number): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    `The server "${server.path}" is failing; the gateway waits before it tries again.`,
    {
      headers: { 'retry-after': String(retryAfterSeconds) },
      data: { retryAfterSeconds },
    },
  )
}
