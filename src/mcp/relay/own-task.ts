import { GatewayError, type MaybePromise } from '../../core/index.ts'
import { type Actor, decide, type Target } from '../../policy/index.ts'
import type { InboundRequest } from '../eras.ts'
import { declaresExtension, keepExtensions, offersExtension, TASKS } from '../extensions.ts'
import { withMember } from '../inbound-text.ts'
import type { Outgoing } from './outgoing.ts'
import type { TaskIds, TaskOf } from './task-ids.ts'

/** Whether a request is about a task of the extension. */
export function isTaskRequest({ era, method }: Pick<InboundRequest, 'era' | 'method'>): boolean {
  return era === 'modern' && /^tasks\/(get|update|cancel)$/.test(method)
}

/** SEP-2663, Protocol Errors: who did not declare the extension has no tasks. */
export function requireTasks({ params }: Pick<InboundRequest, 'params'>): void {
  if (declaresExtension(params, TASKS)) return
  throw new GatewayError('missing_capability', 'Missing required client capability', {
    data: { requiredCapabilities: { extensions: { [TASKS]: {} } } },
  })
}

/** For a task that is missing, somebody else's, or may not be used. */
export function unknownTask(): GatewayError {
  return new GatewayError('unknown_task', 'Unknown task')
}

/** Whether the policy of now lets the caller ask for a task that was made of this tool. */
export function mayUseTask(
  { actor, server }: { readonly actor: Actor; readonly server: Target },
  method: string,
  tool: string,
): boolean {
  const { kind } = decide(actor, server, 'tools/call', tool)
  // Reading what a call came to needs less of a token than to make it.
  const mayCall = kind === 'allow' || kind === 'insufficient_scope'
  return mayCall && decide(actor, server, method).kind === 'allow'
}

/**
 * A request as far as tasks go: one about a task gets the server's own id of it, and a call of who
 * may not ask for tasks declares none, since its result would be lost. Throws `unknown_task`,
 * `missing_capability`, and `method_not_found` where the server has no tasks.
 */
export function withOwnTask(taskIds: TaskIds, outgoing: Outgoing): MaybePromise<Outgoing> {
  const { inbound, target } = outgoing
  const { actor, server } = target
  if (inbound.era === 'legacy') return outgoing
  if (inbound.method === 'tools/call') {
    const { kind } = decide(actor, server, 'tasks/get')
    const isPollable = kind === 'allow' || kind === 'insufficient_scope'
    const isKept = (name: string) => isPollable || name !== TASKS
    return { ...outgoing, inbound: keepExtensions(inbound, isKept) }
  }
  if (!isTaskRequest(inbound)) return outgoing
  requireTasks(inbound)
  return ofTask(taskIds, outgoing)
}

/** One about a task, with the server's own id of it. */
async function ofTask(taskIds: TaskIds, outgoing: Outgoing): Promise<Outgoing> {
  const { inbound, target } = outgoing
  const { server } = target
  const sealed = inbound.params['taskId']
  const task = await taskIds.open(taskOf(outgoing), sealed)
  if (!task || !mayUseTask(target, inbound.method, task.tool)) {
    const { upstream } = server
    const hasNone = upstream.capabilities !== undefined && !offersExtension(upstream, TASKS)
    throw hasNone && !outgoing.shared
      ? new GatewayError('method_not_found', 'Method not found')
      : unknownTask()
  }
  const own = withMember(inbound, ['params', 'taskId'], JSON.stringify(task.id))
  const params = { ...inbound.params, taskId: task.id }
  return {
    ...outgoing,
    inbound: { ...own, params, name: task.id },
    taskId: String(sealed),
  }
}

/** What the id of a task is bound to. */
export function taskOf({ target, shared }: Pick<Outgoing, 'target' | 'shared'>): TaskOf {
  const { actor, server } = target
  return { principal: actor.principal, target: [shared?.path ?? server.path, server.id] }
}
