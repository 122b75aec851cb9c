import type { CallContext, ServerId } from '../../core/index.ts'
import { type Actor, decide } from '../../policy/index.ts'
import type { IndexedServer } from '../../registry/index.ts'
import { taskNames } from '../answer/answer-rules.ts'
import type { Arrival } from '../relay/arrive.ts'
import { mayUseTask } from '../relay/own-task.ts'
import type { Task, TaskIds } from '../relay/task-ids.ts'
import { hasTool } from '../shared/items.ts'
import { originalTask } from '../shared/naming.ts'
import { namesOf } from '../shared/translation.ts'
import { editObject, set } from '../wire/edit-members.ts'
import { createJsonEditor } from '../wire/json-editor.ts'

/** A task that a client was given, and wants to be told of. */
export interface HeldTask extends Task {
  /** Its id as the client knows it. */
  readonly shown: string
  readonly server: ServerId
}

/**
 * Those of the ids that were given to the caller at this endpoint; whether it may be told of them is
 * asked each time (`heardTasks`).
 */
export async function heldTasks(
  ctx: CallContext,
  taskIds: TaskIds,
  { actor, snapshot, resolved }: Pick<Arrival, 'actor' | 'snapshot' | 'resolved'>,
  shown: readonly string[],
): Promise<readonly HeldTask[]> {
  if (shown.length === 0) return []
  const isSingle = resolved.kind === 'server'
  const servers = isSingle ? [resolved.server] : await snapshot.index(ctx)
  const endpoint = isSingle ? resolved.server.path : resolved.endpoint.path
  const opened = shown.map(async (id): Promise<HeldTask[]> => {
    const split = isSingle ? { server: endpoint, id } : originalTask(id)
    const server = servers.find(({ path }) => path === split?.server)
    if (!split || !server) return []
    const of = { principal: actor.principal, target: [endpoint, server.id] as const }
    const task = await taskIds.open(of, split.id)
    return task ? [{ ...task, shown: id, server: server.id }] : []
  })
  return (await Promise.all(opened)).flat()
}

/** The server's own ids of the tasks that the caller may be told of now. */
export function heardTasks(
  actor: Actor,
  { endpoint }: { readonly endpoint?: TaskEndpoint },
  server: Pick<IndexedServer, 'id' | 'path' | 'owner' | 'visibility' | 'allowedGroups'>,
  held: readonly HeldTask[],
): readonly string[] {
  const own = held.filter((task) => task.server === server.id)
  if (own.length === 0 || (endpoint && !isThere(actor, endpoint, server.path))) return []
  if (decide(actor, server, 'subscriptions/listen').kind !== 'allow') return []
  return own.flatMap(({ id, tool }) =>
    mayUseTask({ actor, server }, 'tasks/get', tool) ? [id] : [],
  )
}

type TaskEndpoint = Extract<Arrival['resolved'], { readonly kind: 'shared' }>['endpoint']

/** At a virtual server: its caller may ask there, and a tool of the server still takes part. */
function isThere(actor: Actor, endpoint: TaskEndpoint, path: string): boolean {
  if (endpoint.kind !== 'virtual') return endpoint.kind === 'all'
  const { virtual } = endpoint
  const mayAsk = ['subscriptions/listen', 'tasks/get'].every(
    (method) => decide(actor, virtual, method).kind === 'allow',
  )
  return mayAsk && hasTool(virtual.items, path)
}

/** A task's notification as its client knows the task, raw JSON in and out; `path` where names are. */
export function shownTask(params: string, shown: string, path: string | undefined): string {
  const known = editObject(params, { taskId: set(shown) })
  if (path === undefined) return known
  const editor = createJsonEditor({ members: taskNames(namesOf(path)) })
  const head = editor.write(new TextEncoder().encode(known))
  const decoder = new TextDecoder()
  return decoder.decode(head, { stream: true }) + decoder.decode(editor.end())
}
