import type { AnswerPlan, TaskPlan } from '../answer/answer-rules.ts'
import type { EventIds } from '../session/event-ids.ts'
import type { RawId } from '../wire/reply.ts'
import { type Outgoing, ownSession } from './outgoing.ts'
import { taskOf } from './own-task.ts'
import type { RequestStates, StateOf } from './request-states.ts'
import { clientVersion, takesPriming } from './revisions.ts'
import type { TaskIds } from './task-ids.ts'

export interface SealAnswerDeps {
  readonly eventIds: EventIds
  readonly requestStates: RequestStates
  readonly taskIds: TaskIds
}

/** What of an answer only the gateway may read again, by era. */
export function sealersOf(
  { eventIds, requestStates, taskIds }: SealAnswerDeps,
  outgoing: Outgoing,
  ids: { readonly clientId: RawId; readonly upstreamId: RawId },
): Pick<AnswerPlan, 'sealEventId' | 'sealState' | 'task' | 'takesPriming'> {
  const { inbound, target, session, shared } = outgoing
  const { server, actor } = target
  if (inbound.era === 'modern') {
    const sealState = async (state: string) => {
      const sealed = await requestStates.seal(stateOf(outgoing), state)
      return shared?.names.requestState?.(sealed) ?? sealed
    }
    return { sealState, task: taskPlan(taskIds, outgoing) }
  }
  const path = shared?.path ?? server.path
  const request = { method: inbound.method, ...ids }
  const key = ownSession(outgoing)?.key ?? session?.key ?? ''
  const stream = { session: key, server: server.id, request }
  const sealEventId = eventIds.sealer(actor.principal, path, stream)
  return { sealEventId, takesPriming: takesPriming(clientVersion(outgoing)) }
}

/** Only a call may become a task (SEP-2663, Supported Methods). */
function taskPlan(taskIds: TaskIds, outgoing: Outgoing): TaskPlan | undefined {
  const { inbound, shared, taskId } = outgoing
  const shown = (sealed: string) => shared?.names.taskId(sealed) ?? sealed
  if (taskId !== undefined) return { kind: 'asked', shown: shown(taskId) }
  if (inbound.method !== 'tools/call') return undefined
  const tool = inbound.name ?? ''
  const seal = async (id: string) => shown(await taskIds.seal(taskOf(outgoing), { id, tool }))
  return { kind: 'given', seal }
}

/** What the request state of a modern request is bound to. */
export function stateOf({ inbound, target, shared }: Outgoing): StateOf {
  const { actor, server } = target
  return { principal: actor.principal, target: [shared?.path ?? server.path, server.id], inbound }
}
