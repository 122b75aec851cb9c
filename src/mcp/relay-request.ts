import { type CallContext, GatewayError } from '../core/index.ts'
import { toolFilter } from '../policy/index.ts'
import type { ServerRecord } from '../registry/index.ts'
import { answer } from './answer/answer.ts'
import type { AnswerPlan, NameTranslation } from './answer/answer-rules.ts'
import type { Inbound, InboundRequest } from './eras.ts'
import { methodFacts } from './messages.ts'
import type { RequestStates, StateOf } from './request-states.ts'
import { sendInSession } from './send-in-session.ts'
import type { EventIds } from './session/event-ids.ts'
import type { InFlight, Running } from './session/in-flight.ts'
import {
  helloOf,
  type LegacySession,
  type Sessions,
  type SharedSession,
  sessionNotFound,
} from './session/sessions.ts'
import type { Target } from './target.ts'
import { addModernHeaders, hopTwoHeaders } from './upstream/headers.ts'
import type { UpstreamAnswer, UpstreamCall, Upstreams } from './upstream/send.ts'
import { checkParamHeaders } from './wire/param-headers.ts'
import type { StreamEnd } from './wire/pump.ts'
import { replaceMember } from './wire/replace-member.ts'
import type { RawId } from './wire/reply.ts'
import { replaceSpan } from './wire/scan-request.ts'

/** Everything known about one request when it leaves. */
export interface Outgoing {
  readonly inbound: InboundRequest
  readonly headers: Headers
  readonly target: Target
  /** The opened legacy session, when the client sent one. */
  readonly session?: LegacySession
  /** Where several servers share an endpoint: how this one is named there. */
  readonly shared?: SharedLeg
}

/** What is different for a request that came through a shared endpoint. */
export interface SharedLeg {
  /** Path of the endpoint. */
  readonly path: string
  readonly names: NameTranslation
  /** Of a legacy client. */
  readonly session?: SharedSession
}

export interface RequestRelayDeps {
  readonly upstreams: Upstreams
  readonly sessions: Sessions
  readonly inFlight: InFlight
  readonly eventIds: EventIds
  readonly requestStates: RequestStates
}

/** Sends one request and streams its answer back. */
export function createRequestRelay(deps: RequestRelayDeps) {
  return async function relayRequest(ctx: CallContext, outgoing: Outgoing): Promise<Response> {
    const { inbound, target, session } = outgoing
    const { server } = target
    const clientId = inbound.text.slice(inbound.id.start, inbound.id.end)
    const upstreamId = JSON.stringify(ctx.random.uuid())
    const build = await prepare(deps, outgoing, upstreamId)

    const running = deps.inFlight.add(ctx, {
      ...idScope(target, session, outgoing.shared),
      clientId,
      server: server.id,
      upstreamId,
    })
    let onEnd: ((end: StreamEnd) => void) | undefined
    try {
      const answered = await sendInSession(ctx, deps, outgoing, build)
      onEnd = endOfCall(ctx, deps, answered, running)
      return await answer(
        ctx,
        {
          inbound,
          clientId,
          upstreamId,
          server: server.path,
          timeoutMs: server.timeoutMs,
          showsTool: toolFilter(target.actor, server),
          ...(outgoing.shared ? { names: outgoing.shared.names } : {}),
          ...sealersOf(deps, outgoing, { clientId, upstreamId }),
          headers: await sessionHeader(ctx, deps, outgoing, answered),
          onEnd,
        },
        answered.response,
      )
    } catch (thrown) {
      // It was no answer at all, and said so by itself: its endpoint is alive.
      if (onEnd) onEnd('complete')
      else running.forget()
      throw thrown
    }
  }
}

/** What of an answer only the gateway may read again, by era. */
function sealersOf(
  { eventIds, requestStates }: RequestRelayDeps,
  outgoing: Outgoing,
  ids: { readonly clientId: RawId; readonly upstreamId: RawId },
): Pick<AnswerPlan, 'sealEventId' | 'sealState' | 'takesPriming'> {
  const { inbound, target, session, shared } = outgoing
  const { server, actor } = target
  if (inbound.era === 'modern') {
    return { sealState: (state) => requestStates.seal(stateOf(outgoing), state) }
  }
  const path = shared?.path ?? server.path
  const request = { method: inbound.method, ...ids }
  const key = shared?.session?.key ?? session?.key ?? ''
  const stream = { session: key, server: server.id, request }
  const sealEventId = eventIds.sealer(actor.principal, path, stream)
  return {
    ...(sealEventId ? { sealEventId } : {}),
    takesPriming: takesPriming(clientVersion(outgoing)),
  }
}

/** Events without data begin a stream since 2025-11-25; older clients take them for malformed. */
export function takesPriming(version: string | undefined): boolean {
  return version !== undefined && version >= '2025-11-25'
}

function clientVersion({ inbound, session, shared }: Outgoing): string | undefined {
  const { params, version } = inbound
  if (inbound.method === 'initialize') return String(params['protocolVersion'])
  return shared?.session?.hello.protocolVersion ?? version ?? session?.hello?.protocolVersion
}

function stateOf({ inbound, target, shared }: Outgoing): StateOf {
  const { actor, server } = target
  return { principal: actor.principal, target: [shared?.path ?? server.path, server.id], inbound }
}

/** Within what a client's ids are its own: its session, or else itself on one server. */
export function idScope(
  { actor, server }: Target,
  session: Pick<LegacySession, 'key'> | undefined,
  shared: Outgoing['shared'],
): { readonly scope: string; readonly session?: string } {
  const key = shared?.session?.key ?? session?.key
  if (key !== undefined) return { scope: key, session: key }
  return { scope: `${actor.principal.key}\n${server.id}` }
}

/** Builds the upstream call for the session id that is current when it is sent. */
type BuildCall = (sessionId?: string) => UpstreamCall

async function prepare(
  { requestStates }: RequestRelayDeps,
  outgoing: Outgoing,
  upstreamId: RawId,
): Promise<BuildCall> {
  const { inbound, headers, target, session } = outgoing
  const { server } = target
  const tool = inbound.method === 'tools/call' ? server.tools.get(inbound.name ?? '') : undefined
  const headerParams = tool?.headerParams ?? []
  if (inbound.era === 'modern')
    checkParamHeaders(headers, headerParams, inbound.params['arguments'])
  const withOurId = replaceSpan(inbound.text, inbound.id, upstreamId)
  const sealedState = inbound.era === 'modern' ? inbound.params['requestState'] : undefined
  const body =
    sealedState === undefined
      ? withOurId
      : replaceMember(
          withOurId,
          ['params', 'requestState'],
          JSON.stringify(await requestStates.open(stateOf(outgoing), sealedState)),
        )
  const isSafeTool = server.trustAnnotations && (tool?.readOnly || tool?.idempotent) === true

  return (sessionId) => {
    const hop = hopTwoHeaders({
      custom: server.headers,
      ...(inbound.version === undefined ? {} : { version: inbound.version }),
      ...(sessionId === undefined ? {} : { sessionId }),
    })
    if (inbound.era === 'modern') addModernHeaders(hop, inbound, headers, headerParams)
    return {
      server,
      method: 'POST',
      headers: hop,
      body,
      canRetry: methodFacts(inbound.method).isSafe || isSafeTool,
      isJudged: true,
      ...(session ? { pinned: session.endpoint } : {}),
    }
  }
}

/** The sealed session id, when the upstream opened a session in answer to `initialize`. */
async function sessionHeader(
  ctx: CallContext,
  deps: RequestRelayDeps,
  { inbound, target }: Outgoing,
  { endpoint, response }: UpstreamAnswer,
): Promise<Record<string, string>> {
  const upstreamId = response.headers.get('mcp-session-id')
  if (inbound.method !== 'initialize' || upstreamId === null || !response.ok) return {}
  const { server, actor } = target
  const hello = helloOf(inbound.params)
  const sealed = await deps.sessions.seal(actor.principal, server.path, {
    key: ctx.random.uuid(),
    server: server.id,
    endpoint: endpoint.id,
    upstreamId,
    ...(hello ? { hello } : {}),
  })
  return { 'mcp-session-id': sealed }
}

function endOfCall(
  ctx: CallContext,
  deps: RequestRelayDeps,
  { endpoint, response }: UpstreamAnswer,
  running: Running,
): (end: StreamEnd) => void {
  let isOver = false
  return (end) => {
    if (isOver) return
    isOver = true
    if (end === 'suspended') running.suspend()
    else running.forget()
    // A caller who leaves closes the upstream's connection too: no fault of the upstream.
    if (end === 'cancelled' || (end === 'broken' && ctx.signal.aborted)) {
      ctx.facts.outcome = 'cancelled'
    } else if (end === 'broken' || end === 'faulty') {
      // What half an answer said of itself counts for nothing; a reason of ours stands.
      const isOurs = !['rpc_error', 'tool_error', undefined].includes(ctx.facts.outcome)
      if (end === 'broken' && !isOurs) ctx.facts.outcome = 'upstream_failed'
      deps.upstreams.reportBroken(ctx, endpoint.id)
      return
    }
    if (response.ok) deps.upstreams.reportSound(ctx, endpoint.id)
  }
}

/**
 * A session belongs to one server and one of its endpoints; both must still be there. A server that
 * gives sessions needs them; one that gives none is served without (DESIGN.md, Decision 5).
 */
export function requireSession(
  server: ServerRecord,
  inbound: Inbound,
  session: LegacySession | undefined,
): void {
  if (session) {
    const endpoint = server.endpoints.find(({ id }) => id === session.endpoint)
    if (session.server !== server.id || !endpoint) throw sessionNotFound()
    return
  }
  const isHello = inbound.kind === 'request' && inbound.method === 'initialize'
  if (inbound.era === 'legacy' && !isHello && server.upstream.sessionful) throw sessionRequired()
}

/** For a legacy request without a session id to a server that gives them. */
export function sessionRequired(): GatewayError {
  return new GatewayError('session_required', 'This server needs the Mcp-Session-Id header.')
}
