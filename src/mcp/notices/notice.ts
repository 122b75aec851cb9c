import { z } from 'zod'
import { ServerId, ServerPath, type TenantId } from '../../core/index.ts'
import { ListName } from '../list-changes.ts'

/** How it is told that what a URI stands for has changed (MCP 2025-11-25 and 2026-07-28). */
export const RESOURCE_UPDATED = 'notifications/resources/updated'
export const TASK_CHANGED = 'notifications/tasks'

/** A longer URI is none that anybody subscribes to. */
export const MAX_URI_CHARS = 2_048

/** What of one server somebody wants to be told. */
export interface Wanted {
  readonly lists: readonly ListName[]
  /** The server's own URIs. */
  readonly uris: readonly string[]
  /** The server's own ids of tasks; absent for none. */
  readonly tasks?: readonly string[] | undefined
}

export const NOTHING: Wanted = { lists: [], uris: [] }

/** The same for one named server. */
export interface ServerWant extends Wanted {
  readonly server: ServerId
  readonly path: ServerPath
}

/**
 * What has changed: a list, what a URI of the server stands for, or a task of its, which is all there
 * as raw JSON (SEP-2663, Task Status Notifications).
 */
export const Change = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('list'), list: ListName }),
  z.object({ kind: z.literal('resource'), uri: z.string() }),
  z.object({ kind: z.literal('task'), id: z.string(), params: z.string() }),
])
export type Change = Readonly<z.infer<typeof Change>>

/** A change at one server, as it is handed to whoever listens. */
export const Notice = z.object({
  /** The same when it is handed over again, since its reply was lost. */
  id: z.string(),
  server: ServerId,
  path: ServerPath,
  /** Of the tenant's registry, at least: an older copy of it does not know what has changed. */
  generation: z.number(),
  change: Change,
})
export type Notice = Readonly<z.infer<typeof Notice>>

/** The server to be watched. */
export interface WatchTarget {
  readonly tenant: TenantId
  readonly path: ServerPath
  readonly serverId: ServerId
}

/** The RPC surface of a `WatchObject`. */
export interface WatchStub {
  /**
   * Says what is wanted of the server from now on, all in all. Holds for 3 minutes unless it is
   * said again. Gives what of it the server tells, after at most 5 s.
   */
  want(target: WatchTarget, wanted: Wanted): Promise<Wanted>
  /** Nothing is wanted any more. */
  leave(): Promise<void>
}

/** The RPC surface of an `EventsObject`, one per tenant. */
export interface EventsState {
  /**
   * What the subscriber, who has a socket open, wants from now on; gives what of it the servers
   * tell. Wants of a subscriber without a socket are forgotten.
   */
  want(
    tenant: TenantId,
    subscriber: string,
    wants: readonly ServerWant[],
  ): Promise<readonly ServerWant[]>
  /** Hands the notice to everybody who wants it; who heard it before knows it by its id. */
  tell(notice: Notice): Promise<void>
}

/** An `EventsObject` as the gateway reaches it. */
export interface EventsStub extends EventsState {
  /**
   * Upgrades to a socket that hears notices, for the subscriber in the URL's path and the principal
   * in `x-principal`; 429 over the bounds.
   */
  fetch(url: string, init: { readonly headers: Record<string, string> }): Promise<Response>
}

/** Whether there is nothing in it. */
export function isNothing({ lists, uris, tasks = [] }: Wanted): boolean {
  return lists.length === 0 && uris.length === 0 && tasks.length === 0
}

/** What is in both. */
export function both(one: Wanted, other: Wanted): Wanted {
  const uris = new Set(other.uris)
  const ids = new Set(other.tasks)
  const tasks = one.tasks?.filter((id) => ids.has(id)) ?? []
  return {
    lists: one.lists.filter((list) => other.lists.includes(list)),
    uris: one.uris.filter((uri) => uris.has(uri)),
    tasks: tasks.length > 0 ? tasks : undefined,
  }
}

/** What is in any of them. */
export function either(one: Wanted, other: Wanted): Wanted {
  return {
    lists: [...new Set([...one.lists, ...other.lists])],
    uris: [...new Set([...one.uris, ...other.uris])],
  }
}

/** What of one is not in the other. */
export function without(one: Wanted, other: Wanted): Wanted {
  return {
    lists: one.lists.filter((list) => !other.lists.includes(list)),
    uris: one.uris.filter((uri) => !other.uris.includes(uri)),
  }
}

/** Equal for the same things in any order. */
export function digestOf({ lists, uris, tasks = [] }: Wanted): string {
  return JSON.stringify([[...lists].sort(), [...uris].sort(), [...tasks].sort()])
}

/**
 * Whether an update of `uri` is one of what was subscribed to: of the same resource, or of a part
 * of it (MCP 2025-11-25, ResourceUpdatedNotification).
 */
export function isWithin(uri: string, subscribed: string): boolean {
  if (uri === subscribed) return true
  // A scheme alone is no resource.
  if (/^[^:]*:?\/*$/.test(subscribed)) return false
  return uri.startsWith(subscribed.endsWith('/') ? subscribed : `${subscribed}/`)
}
