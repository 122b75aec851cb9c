import type { AnswerPlan } from '../answer/answer-rules.ts'
import type { EventIds } from '../session/event-ids.ts'
import type { RawId } from '../wire/reply.ts'
import { type Outgoing, ownSession } from './outgoing.ts'
import type { RequestStates, StateOf } from './request-states.ts'
import { clientVersion, takesPriming } from './revisions.ts'

export interface SealAnswerDeps {
  readonly eventIds: EventIds
  readonly requestStates: RequestStates
}

/** What of an answer only the gateway may read again, by era. */
export function sealersOf(
  { eventIds, requestStates }: SealAnswerDeps,
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
  const key = ownSession(outgoing)?.key ?? session?.key ?? ''
  const stream = { session: key, server: server.id, request }
  const sealEventId = eventIds.sealer(actor.principal, path, stream)
  return {
    ...(sealEventId ? { sealEventId } : {}),
    takesPriming: takesPriming(clientVersion(outgoing)),
  }
}

/** What the request state of a modern request is bound to. */
export function stateOf({ inbound, target, shared }: Outgoing): StateOf {
  const { actor, server } = target
  return { principal: actor.principal, target: [shared?.path ?? server.path, server.id], inbound }
}
