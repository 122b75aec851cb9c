import { type CallContext, GatewayError } from '../../core/index.ts'
import type { Running } from '../session/in-flight.ts'
import type { Place, Recovery } from '../session/session-state.ts'
import type { LegacySession, Sessions } from '../session/sessions.ts'
import type { UpstreamAnswer, UpstreamCall, Upstreams } from '../upstream/send.ts'
import { hasLogging } from '../upstream/set-log-level.ts'
import { openSource } from '../wire/pump.ts'
import { readRpcError } from '../wire/read-error.ts'
import { type PlaceToSendDeps, placeToSend } from './place-to-send.ts'
import type { Target } from './target.ts'

/** In the session as it was, as another isolate left it, and as it was opened now. */
const MAX_SESSION_SENDS = 3

export interface SentInSession extends UpstreamAnswer {
  /** Refused as unknown in a session that was opened just now: so it is no matter of sessions. */
  readonly isRefusedAnew?: true
}

export interface SendInSessionDeps {
  readonly upstreams: Upstreams
  readonly sessions: PlaceToSendDeps['sessions'] & Pick<Sessions, 'recover'>
}

/**
 * Sends; when the upstream forgot the session, sends again in the one that another isolate opened
 * meanwhile, or else in one that is opened now: three sends at most, only one of them in one opened
 * now. What is refused there too has no body, and its status is the server's answer. A session
 * whose endpoint is lost moves before anything is sent (`placeToSend`).
 */
export function sendInSession(
  ctx: CallContext,
  deps: SendInSessionDeps,
  { target, session }: { readonly target: Target; readonly session?: LegacySession },
  build: (sessionId?: string) => UpstreamCall,
  running?: Running,
): Promise<SentInSession> {
  return session
    ? sendIn(session, ctx, deps, target, build, running)
    : deps.upstreams.send(ctx, build())
}

async function sendIn(
  session: LegacySession,
  ctx: CallContext,
  deps: SendInSessionDeps,
  target: Target,
  build: (sessionId?: string) => UpstreamCall,
  running: Running | undefined,
): Promise<SentInSession> {
  const placed = placeToSend(ctx, deps, { target, session, running })
  let place = placed instanceof Promise ? await placed : placed
  let isNew = false
  for (let sends = 1; ; sends += 1) {
    const sent = await deps.upstreams.send(ctx, at(place, build(place.upstreamId)))
    if (sent.response.ok) return sent
    sent.bodyDeadline?.end()
    const { forgot, response } = await forgotSession(sent, target.server.timeoutMs)
    if (!forgot) return { ...sent, response }
    if (isNew || sends === MAX_SESSION_SENDS) {
      const { status } = response
      return { ...sent, response: new Response(null, { status }), isRefusedAnew: true }
    }
    sent.end()
    // The upstream refused before it ran anything, so sending again cannot run it twice.
    const reopened = await reopen(ctx, deps, target, session, place)
    place = reopened
    isNew = reopened.isNew
  }
}

/** A call is built for the endpoint that the session began at. */
function at({ endpoint }: Place, call: UpstreamCall): UpstreamCall {
  return call.pinned === endpoint ? call : { ...call, pinned: endpoint }
}

/** Opens the upstream session again, where it was. Throws why it cannot be had. */
async function reopen(
  ctx: CallContext,
  { upstreams, sessions }: SendInSessionDeps,
  { server }: Target,
  session: LegacySession,
  forgotten: Place,
): Promise<Extract<Recovery, { kind: 'reopened' }>> {
  const { path, transport, headers: custom, timeoutMs } = server
  const where = { server, pinned: forgotten.endpoint }
  const recovery = await upstreams.open(ctx, where, ({ url }) => {
    const address = { transport, url, custom, timeoutMs }
    const holder = ctx.facts.principal
    const input = { server: path, ...address, hasLogging: hasLogging(server), holder }
    return sessions.recover(ctx, session, forgotten, input)
  })
  if (recovery.kind === 'reopened') return recovery
  throw new GatewayError(recovery.code, recovery.message)
}

/**
 * 404 is the specified answer for a session that is gone. Many servers answer 400 with one of a few
 * well-known errors; only these count, since any other 400 may come from a tool that has run.
 */
async function forgotSession(
  { response, end }: UpstreamAnswer,
  timeoutMs: number,
): Promise<{ readonly forgot: boolean; readonly response: Response }> {
  if (response.status === 404) {
    // A body that broke off already rejects: there is nothing left to give up.
    await response.body?.cancel().catch(() => undefined)
    return { forgot: true, response }
  }
  if (response.status !== 400 || !response.body) return { forgot: false, response }
  const source = openSource(response.body, timeoutMs)
  const whole = await readRpcError(source).catch((thrown: unknown) => {
    end()
    throw thrown
  })
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
