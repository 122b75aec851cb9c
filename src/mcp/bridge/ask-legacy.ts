import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LOG_LEVEL_META_KEY,
} from '@modelcontextprotocol/server'
import {
  type CallContext,
  GatewayError,
  isPlainObject,
  type OutboundFault,
  type OutboundRequest,
  type OutboundResult,
  toGatewayError,
} from '../../core/index.ts'
import type { LostAnswer } from '../answer/answer-rules.ts'
import { isLogLevel } from '../log-levels.ts'
import { GATEWAY_INFO, LEGACY_VERSIONS } from '../messages.ts'
import { type BuildCall, buildCall } from '../relay/build-call.ts'
import type { Judgement } from '../relay/end-of-call.ts'
import type { Outgoing } from '../relay/outgoing.ts'
import { cancelRequest, createOneWaySender } from '../relay/relay-message.ts'
import { type SendInSessionDeps, sendInSession } from '../relay/send-in-session.ts'
import type { LegacySession } from '../session/sessions.ts'
import type { ClientHello } from '../upstream/open-session.ts'
import type { UpstreamAnswer, Upstreams } from '../upstream/send.ts'
import { hasLogging } from '../upstream/set-log-level.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import { rawMember } from '../wire/edit-members.ts'
import { faultOf } from '../wire/fault-header.ts'
import type { StreamEnd } from '../wire/pump.ts'
import type { RawId } from '../wire/reply.ts'
import { type BridgeStub, BUSY_HEADER, type HeldCall } from './bridge-state.ts'
import { carriedCapabilities } from './carried-capabilities.ts'
import { serverInfoOf } from './faces.ts'
import { modernAnswer } from './modern-answer.ts'
import type { ModernView } from './modern-message.ts'
import { openState } from './parked-state.ts'
import { takeUp } from './take-up.ts'
import { legacyRequest } from './to-legacy.ts'
import type { BridgeSessions, LegacyLeg } from './upstream-sessions.ts'

export interface AskLegacyDeps {
  readonly outbound: UpstreamOutbound
  readonly upstreams: Upstreams
  readonly sessions: BridgeSessions
  readonly object: (name: string) => BridgeStub
}

/** One request of a modern client on its way to a legacy server. */
export interface ModernAsking {
  readonly outgoing: Outgoing
  /** Our id towards the upstream, raw JSON. */
  readonly upstreamId: RawId
  /** Of a request that goes on with a parked call: what it was given, opened from its seal. */
  readonly state?: string
}

/** An answer, and who has to know how it ended. */
export interface BridgedAnswer extends UpstreamAnswer {
  readonly kind: 'answer'
  readonly isBridged: true
  readonly judgement: () => Judgement
  readonly lostBecause?: () => LostAnswer | undefined
  readonly onEnd: (end: StreamEnd) => void
}

/** What a server may answer by asking back (MCP 2026-07-28, Multi round-trip requests). */
const MAY_ASK: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/**
 * Asks a legacy server for a modern client, in a session that the gateway keeps there for it, and
 * answers as a modern server would. Throws what `Upstreams.send` throws, and `upstream_failed` for a
 * call that is parked no more.
 */
export function createAskLegacy(deps: AskLegacyDeps) {
  const { upstreams, sessions } = deps

  return async function askLegacy(ctx: CallContext, asking: ModernAsking): Promise<BridgedAnswer> {
    if (asking.state !== undefined) return resume(ctx, asking, asking.state)
    const { outgoing, upstreamId } = asking
    const { actor, server } = outgoing.target
    const view = viewOf(outgoing)
    const leg = await sessions.leg(ctx, actor.principal, server, helloOf(outgoing, view))
    const inbound = legacyRequest(outgoing.inbound, leg.version)
    const { session } = leg
    const call = { ...outgoing, inbound, ...(session ? { session } : {}) }
    const build = buildCall(call, upstreamId)
    const within = { target: outgoing.target, ...(session ? { session } : {}) }
    const keeping = { upstreams, sessions: sessions.keeper(actor.principal.tenant) }
    const send = (built: BuildCall) => sendInSession(ctx, keeping, within, built)

    const leaving = { ...keeping, ctx, within, version: leg.version }
    const tell = createTell(leaving)
    const cancel = (reason?: string): Promise<void> => tell(cancelRequest(upstreamId, reason))
    if (session && isHeld(outgoing, view)) {
      const held = { asking, leg, session, view }
      const sent = await send((sessionId) => heldCall(deps, held, build(sessionId), sessionId))
      const callId = callIdOf(upstreamId)
      const onEnd = whenLeft(() => ctx.waitUntil(deps.object(leg.bridge).cancel(callId)))
      return { ...bridged(sent), ...sent, onEnd }
    }

    const sent = await untilAnswered(
      ctx,
      () => send(build),
      () => cancel(),
    )
    const { endpoint } = sent
    const { path, timeoutMs, headers: custom, transport } = server
    const source = { transport, custom, timeoutMs, version: leg.version, url: endpoint.url }
    const at = { ...source, endpoint: endpoint.id }
    let lost: LostAnswer | undefined
    const answer = modernAnswer(view, upstreamId, { path, timeoutMs }, sent.response, {
      tell,
      onLost(why) {
        lost = why
      },
      async resume(lastEventId) {
        if (!session) return undefined
        const { upstreamId: sessionId } = keeping.sessions.placeOf(session)
        return takeUp(deps.outbound, { ...at, sessionId }, lastEventId, ctx.caller.signal)
      },
    })
    const onEnd = whenLeft(() => ctx.waitUntil(cancel(lost && 'The gateway gave its answer up.')))
    return { ...bridged(sent), ...sent, response: answer, lostBecause: () => lost, onEnd }
  }

  async function resume(
    ctx: CallContext,
    { outgoing, upstreamId }: ModernAsking,
    state: string,
  ): Promise<BridgedAnswer> {
    const { target, inbound } = outgoing
    const parked = openState(state)
    const endpoint = target.server.endpoints.find(({ id }) => id === parked?.endpoint)
    if (parked && !endpoint) {
      // Whoever stands there now gets nothing more: no answer, no cancel, no credential.
      await deps.object(parked.bridge).drop(parked.callId)
    }
    if (!parked || !endpoint) throw gone(target.server.path)
    const params = rawMember(inbound.text, 'params') ?? '{}'
    const inputs = rawMember(params, 'inputResponses') ?? '{}'
    const response = await deps.object(parked.bridge).fetch('http://bridge/resume', {
      method: 'POST',
      body: JSON.stringify({ callId: parked.callId, inputs, upstreamId }),
    })
    if (!response.ok) throw gone(target.server.path)
    const cancel = () => ctx.waitUntil(deps.object(parked.bridge).cancel(parked.callId))
    // What goes on in the object was counted when it began.
    const end = (): void => undefined
    const onEnd = whenLeft(cancel)
    return { ...bridged({ response }), endpoint, response, end, onEnd }
  }
}

/** A refusal was told to the breaker when it came. */
function bridged({ response }: Pick<UpstreamAnswer, 'response'>) {
  const judged = response.ok ? 'sound' : 'told'
  return { kind: 'answer', isBridged: true, judgement: () => judged } as const
}

/** A legacy server does not take a disconnect for a cancel, and a caller may leave before it answers. */
async function untilAnswered<T>(
  ctx: CallContext,
  ask: () => Promise<T>,
  cancel: () => Promise<void>,
): Promise<T> {
  const leave = (): void => ctx.waitUntil(cancel())
  ctx.caller.signal.addEventListener('abort', leave, { once: true })
  try {
    return await ask()
  } catch (thrown) {
    if (toGatewayError(thrown).code === 'upstream_timeout') leave()
    throw thrown
  } finally {
    ctx.caller.signal.removeEventListener('abort', leave)
  }
}

interface Leaving extends SendInSessionDeps {
  readonly ctx: CallContext
  readonly within: Pick<Outgoing, 'target' | 'session'>
  readonly version: string
}

/**
 * Sends messages of our own in the session, also when the caller has left. Never rejects: nothing
 * waits for them, and the breaker learns of an endpoint that takes none.
 */
function createTell({ ctx, within, version, ...keeping }: Leaving) {
  const patient = { ...ctx, caller: new AbortController() }
  const sendOneWay = createOneWaySender(keeping)
  return (text: string): Promise<void> =>
    sendOneWay(patient, { ...within, text, version }).catch(() => undefined)
}

interface Holding {
  readonly asking: ModernAsking
  readonly leg: LegacyLeg
  readonly session: LegacySession
  readonly view: ModernView
}

/** The object holds the connection, so that it can outlive this request. */
function heldCall(
  deps: AskLegacyDeps,
  { asking, leg, session, view }: Holding,
  call: ReturnType<BuildCall>,
  sessionId = '',
): ReturnType<BuildCall> {
  const { server } = asking.outgoing.target
  const send = async ({ url, body = '', signal }: OutboundRequest): Promise<OutboundResult> => {
    const held: HeldCall = {
      ...{ bridge: leg.bridge, callId: callIdOf(asking.upstreamId) },
      ...{ endpoint: session.endpoint, transport: server.transport },
      ...{ url, sessionId, version: leg.version, timeoutMs: server.timeoutMs, body },
      custom: server.headers.map(([name, value]) => [name, value]),
      headers: [...call.headers],
      upstreamId: asking.upstreamId,
      ...view,
      serverInfo: { ...view.serverInfo },
    }
    const object = deps.object(leg.bridge)
    // Before the server has answered nobody else would tell it.
    const leave = (): void => void object.cancel(held.callId).catch(() => undefined)
    signal?.addEventListener('abort', leave, { once: true })
    const asked = object.fetch('http://bridge/call', { method: 'POST', body: JSON.stringify(held) })
    const response = await asked.finally(() => signal?.removeEventListener('abort', leave))
    if (response.headers.has(BUSY_HEADER)) throw tooManyCalls()
    const fault = faultOf(response.headers)
    return fault ? failed(fault) : { kind: 'response', response }
  }
  // A second attempt would be a second call.
  return { ...call, send, canRetry: false }
}

function failed(fault: OutboundFault): OutboundResult {
  return { kind: 'fault', fault, message: 'The server was not reached.' }
}

function whenLeft(then: () => void): (end: StreamEnd) => void {
  return (end) => {
    if (end === 'cancelled' || end === 'broken' || end === 'bounded') then()
  }
}

function callIdOf(upstreamId: RawId): string {
  return String(JSON.parse(upstreamId))
}

function metaOf({ inbound }: Outgoing): Readonly<Record<string, unknown>> {
  const meta = inbound.params['_meta']
  return isPlainObject(meta) ? meta : {}
}

function viewOf(outgoing: Outgoing): ModernView {
  const { upstream } = outgoing.target.server
  const meta = metaOf(outgoing)
  const capabilities = carriedCapabilities(meta[CLIENT_CAPABILITIES_META_KEY])
  const level = meta[LOG_LEVEL_META_KEY]
  return {
    method: outgoing.inbound.method,
    serverInfo: serverInfoOf(upstream),
    capabilities,
    ...(isLogLevel(level) ? { logLevel: level } : {}),
  }
}

/** What the client itself would say in a handshake. */
function helloOf(outgoing: Outgoing, { capabilities }: ModernView): ClientHello {
  const info = metaOf(outgoing)[CLIENT_INFO_META_KEY]
  const clientInfo = isPlainObject(info) ? info : GATEWAY_INFO
  return { protocolVersion: LEGACY_VERSIONS[0], capabilities, clientInfo }
}

/** Whether the server may have something to ask, or has to be told what to log. */
function isHeld({ inbound, target }: Outgoing, { capabilities, logLevel }: ModernView): boolean {
  if (logLevel !== undefined && hasLogging(target.server)) return true
  const takes = (name: string): boolean => isPlainObject(capabilities[name])
  return MAY_ASK.has(inbound.method) && ['elicitation', 'sampling', 'roots'].some(takes)
}

function tooManyCalls(): GatewayError {
  return new GatewayError('rate_limited', 'Too many calls to this server wait for answers.', {
    fix: 'Answer or abandon some of them first; an abandoned one ends after 15 minutes.',
  })
}

function gone(server: string): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The call that waited for this at the server "${server}" is over.`,
    { fix: 'Whether it took effect is unknown; check before you send the request anew.' },
  )
}
