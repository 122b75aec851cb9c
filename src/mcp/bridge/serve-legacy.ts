import { type CallContext, GatewayError } from '../../core/index.ts'
import type { Inbound, InboundRequest } from '../eras.ts'
import { rawIdOf } from '../inbound-text.ts'
import { requireLogLevel } from '../log-levels.ts'
import { negotiatedVersion } from '../messages.ts'
import { subscribe } from '../notices/subscribe.ts'
import type { Subscriptions } from '../notices/subscriptions.ts'
import type { Outgoing } from '../relay/outgoing.ts'
import type { Target } from '../relay/target.ts'
import { idScope } from '../session/id-scope.ts'
import type { InFlight } from '../session/in-flight.ts'
import { sessionRequired } from '../session/session-rules.ts'
import { SESSION_TTL_MS, type SessionState } from '../session/session-state.ts'
import { type BridgedSession, helloOf, type Sessions } from '../session/sessions.ts'
import { acceptedReply, resultReply } from '../wire/reply.ts'
import type { ClientLines } from './client-lines.ts'
import { initializeResult } from './faces.ts'

/** A message of a legacy client for one server that speaks the modern era alone. */
export interface LegacyVisit {
  readonly inbound: Inbound
  readonly headers: Headers
  readonly target: Target
  /** Absent before it has one. */
  readonly bridged?: BridgedSession
}

export interface ServeLegacyDeps {
  readonly sessions: Pick<Sessions, 'seal'>
  readonly inFlight: InFlight
  readonly lines: ClientLines
  readonly subscriptions: Subscriptions
  readonly object: (session: string) => Pick<SessionState, 'setLogLevel'>
  readonly relayRequest: (ctx: CallContext, outgoing: Outgoing) => Promise<Response>
}

interface Asked extends Omit<LegacyVisit, 'bridged'> {
  readonly inbound: InboundRequest
  readonly bridged: BridgedSession
}

/** What belongs to a legacy session is the gateway's own to answer: its server has none. */
const NOT_CARRIED = /^(tasks\/|server\/discover$|subscriptions\/)/

/** Serves a legacy client of one modern server (PROTOCOL.md 1.11). */
export function createServeLegacy(deps: ServeLegacyDeps) {
  const own = new Map<string, (ctx: CallContext, asked: Asked) => Promise<void>>([
    ['ping', async () => undefined],
    [
      'logging/setLevel',
      async (ctx, { inbound, bridged }) => {
        const level = requireLogLevel(inbound.params)
        await deps.object(bridged.key).setLogLevel(level, ctx.clock.now() + SESSION_TTL_MS)
      },
    ],
    ['resources/subscribe', change],
    ['resources/unsubscribe', change],
  ])

  return async function serveLegacy(ctx: CallContext, visit: LegacyVisit): Promise<Response> {
    const { inbound, bridged } = visit
    if (inbound.kind === 'request' && inbound.method === 'initialize') {
      return initialize(ctx, visit, inbound)
    }
    if (!bridged) throw sessionRequired()
    if (inbound.kind !== 'request') {
      await hear(visit, bridged)
      return acceptedReply()
    }
    if (NOT_CARRIED.test(inbound.method)) {
      throw new GatewayError('method_not_found', 'Method not found')
    }
    const asked = { ...visit, inbound, bridged }
    const answerer = own.get(inbound.method)
    if (!answerer) return deps.relayRequest(ctx, asked)
    await answerer(ctx, asked)
    return resultReply('{}', rawIdOf(inbound))
  }

  async function change(_ctx: CallContext, { inbound, bridged, target }: Asked): Promise<void> {
    const { upstream } = target.server
    const { method, params } = inbound
    const asked = { method, session: bridged, upstream, uri: params['uri'] }
    await subscribe(deps.subscriptions, asked)
  }

  async function initialize(
    ctx: CallContext,
    { target }: LegacyVisit,
    inbound: InboundRequest,
  ): Promise<Response> {
    const { server, actor } = target
    const version = negotiatedVersion(inbound.params['protocolVersion'])
    const hello = helloOf({ ...inbound.params, protocolVersion: version })
    if (!hello) {
      throw new GatewayError('invalid_params', 'The capabilities are larger than is accepted.')
    }
    const session = { kind: 'bridged', key: ctx.random.uuid(), server: server.id, hello } as const
    const id = await deps.sessions.seal(actor.principal, server.path, session)
    const result = JSON.stringify(initializeResult(server.upstream, version))
    return resultReply(result, rawIdOf(inbound), { 'mcp-session-id': id })
  }

  /** A modern server is told nothing on its own; what concerns a call of ours goes there. */
  async function hear({ inbound, target }: LegacyVisit, bridged: BridgedSession): Promise<void> {
    if (inbound.kind === 'response') {
      const { id } = JSON.parse(inbound.text)
      await deps.lines.answer(bridged.key, id, inbound.text)
    } else if (inbound.kind === 'notification' && inbound.method === 'notifications/cancelled') {
      const scope = idScope({ target, bridged })
      const call = await deps.inFlight.find(scope, inbound.params['requestId'])
      if (call) await deps.lines.cancel(bridged.key, JSON.parse(call.upstreamId))
    }
  }
}
