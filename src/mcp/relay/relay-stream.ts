import { type CallContext, type EndpointId, mediaType, toGatewayError } from '../../core/index.ts'
import { toolFilter } from '../../policy/index.ts'
import { openStream } from '../answer/event-stream.ts'
import { noStream } from '../eras.ts'
import type { EventIds, ResumePoint } from '../session/event-ids.ts'
import { idScope } from '../session/id-scope.ts'
import type { InFlight } from '../session/in-flight.ts'
import type { LegacySession, Sessions } from '../session/sessions.ts'
import { statusError } from '../upstream/failure.ts'
import { streamHeaders } from '../upstream/headers.ts'
import type { UpstreamAnswer, Upstreams } from '../upstream/send.ts'
import type { StreamEnd } from '../wire/pump.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import { mayGoOn } from './listening.ts'
import type { SharedLeg } from './outgoing.ts'
import { takesPriming } from './revisions.ts'
import { type SentInSession, sendInSession } from './send-in-session.ts'
import type { Target } from './target.ts'

/** A stream of one server that a legacy client opens by GET. */
export interface StreamRequest {
  readonly target: Target
  /** The target by the policy of now. Throws what refuses it. */
  readonly targetNow: () => Promise<Target>
  readonly session?: LegacySession
  /** The revision to announce to the server. */
  readonly version?: string
  /** Where the client left the stream that it wants to go on with. */
  readonly resume?: ResumePoint
  /** Where several servers share an endpoint: how this one is named there. */
  readonly shared?: SharedLeg
  /** Called once its server has been asked. */
  readonly onSent?: () => void
  /** Called when it is over, or could not be opened. */
  readonly onOver?: () => void
}

export interface StreamRelayDeps {
  readonly upstreams: Upstreams
  readonly sessions: Sessions
  readonly inFlight: InFlight
  readonly eventIds: EventIds
  readonly bounds: StreamBounds
}

/**
 * Opens a server's stream and hands its messages on (MCP 2025-11-25, Listening for messages from
 * the server). Resumed, it may be the rest of a stream that answers a request; then it ends with
 * the answer. Throws `method_not_allowed` when the server opens none, and `upstream_failed`.
 */
export function createStreamRelay(deps: StreamRelayDeps) {
  return async function relayStream(ctx: CallContext, wanted: StreamRequest): Promise<Response> {
    try {
      return await open(ctx, wanted)
    } catch (thrown) {
      wanted.onOver?.()
      throw thrown
    }
  }

  async function open(ctx: CallContext, wanted: StreamRequest): Promise<Response> {
    const { session, version, resume, shared } = wanted
    const { server, actor } = wanted.target
    const answered = await sendGet(ctx, deps, wanted)
    // To be asked for again would cost the client its session at the server every time.
    if (answered.isRefusedAnew) {
      answered.end()
      throw noStream()
    }
    const body = await eventsOf(answered, server.path)
    const key = shared?.session?.key ?? session?.key ?? ''
    const request = resume?.request
    const stream = { session: key, server: server.id, ...(request ? { request } : {}) }
    const sealEventId = deps.eventIds.sealer(actor.principal, shared?.path ?? server.path, stream)
    const plan = {
      inbound: { method: request?.method ?? '', era: 'legacy' },
      clientId: request?.clientId ?? 'null',
      ...(request ? { upstreamId: request.upstreamId } : {}),
      server: server.path,
      timeoutMs: server.timeoutMs,
      bounds: deps.bounds,
      showsTool: toolFilter(actor, server),
      // Progress goes on the stream of its request: where servers meet, any of them could write
      // some for the request of another, whose tokens are small numbers.
      showsProgress: () => shared === undefined || request !== undefined,
      ...(shared ? { names: shared.names } : {}),
      ...(sealEventId ? { sealEventId } : {}),
      takesPriming: takesPriming(shared?.session?.hello.protocolVersion ?? version),
      mayGoOn: async () =>
        (await mayGoOn(ctx, wanted, answered.endpoint.id)) &&
        (await isStillAt(ctx, deps.sessions, wanted, answered.endpoint.id)),
      onEnd: endOfStream(ctx, deps, wanted, answered),
    } as const
    return openStream(ctx, plan, body)
  }
}

/** A session that moved is told elsewhere: its client opens another stream, which goes there. */
async function isStillAt(
  ctx: CallContext,
  sessions: Pick<Sessions, 'findPlace'>,
  { target, session }: StreamRequest,
  endpoint: EndpointId,
): Promise<boolean> {
  if (!session || target.server.endpoints.length === 1) return true
  try {
    return (await sessions.findPlace(ctx, session)).endpoint === endpoint
  } catch (thrown) {
    ctx.facts.outcome = toGatewayError(thrown).code
    return false
  }
}

async function sendGet(
  ctx: CallContext,
  deps: StreamRelayDeps,
  wanted: StreamRequest,
): Promise<SentInSession> {
  const { target, session, version, resume, onSent } = wanted
  const { server } = target
  return sendInSession(ctx, deps, wanted, (sessionId) => {
    const headers = {
      custom: server.headers,
      ...(version === undefined ? {} : { version }),
      ...(sessionId === undefined ? {} : { sessionId }),
    }
    return {
      server,
      method: 'GET',
      canRetry: true,
      headers: streamHeaders(headers, resume?.eventId),
      ...(session ? { pinned: session.endpoint } : {}),
      ...(onSent ? { onSent } : {}),
    }
  })
}

/** Throws what the response is instead of a stream. */
async function eventsOf(
  { response, end }: UpstreamAnswer,
  server: string,
): Promise<ReadableStream<Uint8Array>> {
  const type = mediaType(response.headers.get('content-type'))
  if (response.body && response.ok && type === 'text/event-stream') return response.body
  end()
  await response.body?.cancel()
  throw response.status === 405 ? noStream() : statusError(response.status, server)
}

/** While the rest of a request's stream is relayed, a cancel of the request must find it. */
function endOfStream(
  ctx: CallContext,
  { inFlight, upstreams }: StreamRelayDeps,
  wanted: StreamRequest,
  { endpoint, end: endAnswer }: UpstreamAnswer,
): (end: StreamEnd) => void {
  const { target, resume } = wanted
  const running = resume?.request
    ? inFlight.add(ctx, {
        ...idScope(wanted),
        ...resume.request,
        server: target.server.id,
      })
    : undefined
  return (end) => {
    wanted.onOver?.()
    endAnswer()
    // A client that leaves may come back, and the request goes on meanwhile.
    if (end === 'suspended' || end === 'cancelled') running?.suspend()
    else running?.forget()
    if (end === 'cancelled') ctx.facts.outcome = 'cancelled'
    if (end === 'broken' || end === 'faulty') upstreams.reportBroken(ctx, endpoint.id)
  }
}
