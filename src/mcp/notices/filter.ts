import { z } from 'zod'
import { GatewayError, isPlainObject } from '../../core/index.ts'
import { ListName } from '../list-changes.ts'
import type { Wanted } from './notice.ts'

/** `params.notifications` of a listen request, and of what acknowledges it. */
const Filter = z.looseObject({
  toolsListChanged: z.boolean().optional(),
  promptsListChanged: z.boolean().optional(),
  resourcesListChanged: z.boolean().optional(),
  resourceSubscriptions: z.array(z.string()).optional(),
  /** Of the extension for tasks (SEP-2663). */
  taskIds: z.array(z.string()).optional(),
})
type Filter = z.infer<typeof Filter>

const MEMBERS = {
  tools: 'toolsListChanged',
  prompts: 'promptsListChanged',
  resources: 'resourcesListChanged',
} as const satisfies Record<ListName, keyof Filter>

/** What was asked for, as MCP 2026-07-28 writes it; what was not is absent. */
export function filterOf({ lists, uris, tasks = [] }: Wanted): object {
  return {
    ...Object.fromEntries(lists.map((list) => [MEMBERS[list], true])),
    ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}),
    ...(tasks.length > 0 ? { taskIds: tasks } : {}),
  }
}

/** What a client asks for. Throws `invalid_params`. */
export function wantedOf(params: Readonly<Record<string, unknown>>): Wanted {
  const filter = Filter.safeParse(params['notifications'])
  if (filter.success) return wantedBy(filter.data)
  throw new GatewayError('invalid_params', 'params.notifications does not say what to tell.', {
    fix: 'Name what to tell as MCP 2026-07-28, subscriptions/listen, has it.',
  })
}

/** What a server acknowledges; nothing when it cannot be read. */
export function wantedIn({ params }: Readonly<Record<string, unknown>>): Wanted {
  const filter = Filter.safeParse(isPlainObject(params) ? params['notifications'] : undefined)
  return wantedBy(filter.data ?? {})
}

function wantedBy(filter: Filter): Wanted {
  const tasks = [...new Set(filter.taskIds)]
  return {
    ...(tasks.length > 0 ? { tasks } : {}),
    lists: ListName.options.filter((list) => filter[MEMBERS[list]] === true),
    uris: [...new Set(filter.resourceSubscriptions ?? [])],
  }
}
