import { type CallContext, GatewayError } from '../core/index.ts'
import { toolFilter } from '../policy/index.ts'
import type { ServerRecord } from '../registry/index.ts'
import { answer } from './answer.ts'
import type { Inbound, InboundRequest } from './eras.ts'
import type { InFlight } from './in-flight.ts'
import { methodFacts } from './messages.ts'
import { helloOf, type LegacySession, type Sessions, sessionNotFound } from './sessions.ts'
import type { Target } from './target.ts'
import { statusError } from './upstream/failure.ts'
import { addModernHeaders, hopTwoHeaders } from './upstream/headers.ts'
import type { UpstreamAnswer, Upstreams } from './upstream/send.ts'
import { checkParamHeaders } from './wire/param-headers.ts'
import { openSource } from './wire/pump.ts'
import { readRpcError } from './wire/read-error.ts'
import type { RawId } from './wire/reply.ts'
import { replaceSpan } from './wire/scan-request.ts'

/** Everything known about one request when it leaves. */
export interface Outgoing {
  readonly inbound: InboundRequest
  readonly headers: Headers
  readonly target: Target
  /** The opened legacy session, when the client sent one. */
  readonly session?: LegacySession
}

export interface RequestRelayDeps {
  readonly upstreams: Upstreams
  readonly sessions: Sessions
  readonly inFlight: InFlight
}

/** Sends one request and streams its answer back. */
export function createRequestRelay(deps: RequestRelayDeps) {
  return async function relayRequest(ctx: CallContext, outgoing: Outgoing): Promise<Response> {
    const { inbound, target, session } = outgoing
    const { server } = target
    const clientId = inbound.text.slice(inbound.id.start, inbound.id.end)
    const upstreamId = JSON.stringify(ctx.random.uuid())
    const build = prepare(outgoing, upstreamId)

    const forget = deps.inFlight.add(idScope(target, session), clientId, upstreamId)
    try {
      const answered = await sendInSession(ctx, deps, outgoing, build)
      return await answer(
        ctx,
        {
          inbound,
          clientId,
          upstreamId,
          server: server.path,
          timeoutMs: server.timeoutMs,
          showsTool: toolFilter(target.actor, server),
          headers: await sessionHeader(ctx, deps, outgoing, answered),
          onEnd: endOfCall(ctx, deps, answered, forget),
        },
        answered.response,
      )
    } catch (thrown) {
      forget()
      throw thrown
    }
  }
}

/** Within what a client's ids are its own: its session, or else itself on one server. */
export function idScope({ actor, server }: Target, session: LegacySession | undefined): string {
  return session?.key ?? `${actor.principal.key}\n${server.id}`
}

/** Builds the upstream call for the session id that is current when it is sent. */
type BuildCall = (sessionId?: string) => Parameters<Upstreams['send']>[1] & { body: string }

function prepare(outgoing: Outgoing, upstreamId: RawId): BuildCall {
  const { inbound, headers, target, session } = outgoing
  const { server } = target
  const tool = inbound.method === 'tools/call' ? server.tools.get(inbound.name ?? '') : undefined
  const headerParams = tool?.headerParams ?? []
  if (inbound.era === 'modern')
    checkParamHeaders(headers, headerParams, inbound.params['arguments'])
  const body = replaceSpan(inbound.text, inbound.id, upstreamId)
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
      ...(session ? { pinned: session.endpoint } : {}),
    }
  }
}

/** Another isolate may have opened the session again under an id that was forgotten since. */
const MAX_SESSION_SENDS = 3

/** Sends; when the upstream forgot the session, opens it again and sends once more. */
export async function sendInSession(
  ctx: CallContext,
  deps: Pick<RequestRelayDeps, 'upstreams' | 'sessions'>,
  { target, session }: Pick<Outgoing, 'target' | 'session'>,
  build: (sessionId?: string) => Parameters<Upstreams['send']>[1],
): Promise<UpstreamAnswer> {
  if (!session) return deps.upstreams.send(ctx, build())
  const { path, headers: custom, timeoutMs } = target.server
  let upstreamId = deps.sessions.currentUpstreamId(session)
  for (let sends = 1; ; sends += 1) {
    const sent = await deps.upstreams.send(ctx, build(upstreamId))
    const { forgot, response } = await forgotSession(sent.response, timeoutMs)
    if (!forgot) return { ...sent, response }
    if (sends === MAX_SESSION_SENDS) throw statusError(response.status, path)
    // The upstream refused before it ran anything, so sending again cannot run it twice.
    const upstream = { server: path, url: sent.endpoint.url, custom, timeoutMs }
    upstreamId = await deps.sessions.recover(ctx, session, upstreamId, upstream)
  }
}

/**
 * 404 is the specified answer for a session that is gone. Many servers answer 400 with one of a few
 * well-known errors; only these count, since any other 400 may come from a tool that has run.
 */
async function forgotSession(
  response: Response,
  timeoutMs: number,
): Promise<{ readonly forgot: boolean; readonly response: Response }> {
  if (response.status === 404) {
    await response.body?.cancel()
    return { forgot: true, response }
  }
  if (response.status !== 400 || !response.body) return { forgot: false, response }
  const source = openSource(response.body, timeoutMs)
  const whole = await readRpcError(source)
  if (!whole) await source.cancel()
  const { status, headers } = response
  return {
    forgot: whole !== undefined && SESSION_UNKNOWN.test(new TextDecoder().decode(whole)),
    response: new Response(whole ?? null, { status, headers }),
  }
}

/** The words of the SDKs and of servers built on them, as the whole message. */
const SESSION_UNKNOWN =
  /"message"\s*:\s*"(Bad Request: )?(No valid session ID provided|Invalid( or missing)? session ID|Unknown session( ID)?|Session( ID)? not found|Session expired|Server not initialized)\.?"/i

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
  { endpoint }: UpstreamAnswer,
  forget: () => void,
): (end: 'complete' | 'cancelled' | 'broken') => void {
  return (end) => {
    forget()
    // A caller who leaves closes the upstream's connection too: no fault of the upstream.
    if (end === 'cancelled' || (end === 'broken' && ctx.signal.aborted)) {
      ctx.facts.outcome = 'cancelled'
    } else if (end === 'broken') {
      ctx.facts.outcome = 'upstream_failed'
      deps.upstreams.reportBroken(ctx, endpoint.id)
    }
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
