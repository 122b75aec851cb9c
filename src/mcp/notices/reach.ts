import type { CallContext } from '../../core/index.ts'
import { type Actor, decide, type Target } from '../../policy/index.ts'
import type { IndexedServer, UpstreamFacts } from '../../registry/index.ts'
import type { ListName } from '../list-changes.ts'
import type { Arrival } from '../relay/arrive.ts'
import type { SharedEndpoint } from '../shared/endpoint.ts'
import { chosenUri } from '../shared/items.ts'
import { exposedUri, originalUri } from '../shared/naming.ts'
import { declaredBy } from './declared.ts'
import { type HeldTask, heardTasks } from './held-tasks.ts'
import { MAX_SERVERS_OF_STREAM } from './interests.ts'
import { isNothing, type ServerWant, type Wanted } from './notice.ts'

/** By a listen request (2026-07-28), or by the stream that a legacy client opens by GET. */
export type ListeningBy = 'listen' | 'stream'

/** What lists are read by: one of them is needed to be told that its list has changed. */
const READS: Readonly<Record<ListName, readonly string[]>> = {
  tools: ['tools/list'],
  prompts: ['prompts/list'],
  resources: ['resources/list', 'resources/templates/list'],
}
const KINDS = {
  tools: ['tool'],
  prompts: ['prompt'],
  resources: ['resource', 'template'],
} as const
/** What a caller must be allowed to do to be told anything, and to be told of a resource. */
const ENTRY = { listen: 'subscriptions/listen', stream: 'notifications/message' } as const
const UPDATES = { listen: 'resources/read', stream: 'resources/subscribe' } as const

/** Whether the policy of now lets the caller be told of changes of a list of this server. */
export function mayHearList(
  actor: Actor,
  target: Target,
  list: ListName,
  by: ListeningBy,
): boolean {
  return (
    isAllowed(actor, target, ENTRY[by]) &&
    READS[list].some((method) => isAllowed(actor, target, method))
  )
}

/** The same for a resource of this server. */
export function mayHearResources(actor: Actor, target: Target, by: ListeningBy): boolean {
  return isAllowed(actor, target, ENTRY[by]) && isAllowed(actor, target, UPDATES[by])
}

function isAllowed(actor: Actor, target: Target, method: string): boolean {
  return decide(actor, target, method).kind === 'allow'
}

/** A server as far as it matters who may be told what of it. */
type Told = Target &
  Pick<IndexedServer, 'id' | 'path'> & {
    readonly upstream: UpstreamFacts
  }

/**
 * What a client wants, said of each server that it is about: those behind the endpoint that tell it,
 * and only what the caller may be told (MCP 2026-07-28, subscriptions/listen: the honoured subset).
 * `uris` of `wanted` are the client's own; the tasks it is about are those that it holds.
 */
export async function reachOf(
  ctx: CallContext,
  { actor, snapshot, resolved }: Pick<Arrival, 'actor' | 'snapshot' | 'resolved'>,
  wanted: Wanted,
  by: ListeningBy,
  held: readonly HeldTask[] = [],
): Promise<readonly ServerWant[]> {
  if (resolved.kind === 'server') {
    const { server } = resolved
    return wantsOf(server, actor, { ...wanted, tasks: heardTasks(actor, {}, server, held) }, by)
  }
  const { endpoint } = resolved
  if (endpoint.kind === 'own') return []
  const heard = endpoint.kind === 'virtual' ? heardOf(actor, endpoint.virtual, wanted, by) : wanted
  const uris = urisByServer(endpoint, heard.uris)
  const servers = await snapshot.index(ctx)
  return servers
    .flatMap((server) => {
      const lists = listsOf(endpoint, server, heard.lists)
      const tasks = heardTasks(actor, { endpoint }, server, held)
      return wantsOf(server, actor, { lists, uris: uris.get(server.path) ?? [], tasks }, by)
    })
    .slice(0, MAX_SERVERS_OF_STREAM)
}

/** A server's URI as the clients of the endpoint know it. */
export function shownUri(
  { resolved }: Pick<Arrival, 'resolved'>,
  path: string,
  uri: string,
): string {
  return resolved.kind === 'server' ? uri : exposedUri(path, uri)
}

function wantsOf(server: Told, actor: Actor, wanted: Wanted, by: ListeningBy): ServerWant[] {
  const { id, path, upstream } = server
  const declared = declaredBy(upstream, wanted)
  const { lists, uris } = heardOf(actor, server, declared, by)
  const { tasks = [] } = declared
  const heard = { lists, uris, ...(tasks.length > 0 ? { tasks } : {}) }
  return isNothing(heard) ? [] : [{ server: id, path, ...heard }]
}

/** A virtual server tells of what it contains alone. */
function listsOf(
  endpoint: SharedEndpoint,
  { path }: Pick<IndexedServer, 'path'>,
  lists: readonly ListName[],
): readonly ListName[] {
  if (endpoint.kind !== 'virtual') return lists
  const { items } = endpoint.virtual
  return lists.filter((list) => {
    const kinds: readonly string[] = KINDS[list]
    return items.some(({ server, kind }) => server === path && kinds.includes(kind))
  })
}

function heardOf(actor: Actor, target: Target, wanted: Wanted, by: ListeningBy): Wanted {
  return {
    lists: wanted.lists.filter((list) => mayHearList(actor, target, list, by)),
    uris: mayHearResources(actor, target, by) ? wanted.uris : [],
  }
}

/** The servers' own URIs, by their paths; those of nobody are left out. */
function urisByServer(
  endpoint: SharedEndpoint,
  exposed: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const byServer = new Map<string, string[]>()
  for (const value of exposed) {
    const uri = originalUri(value)
    if (!uri) continue
    if (endpoint.kind === 'virtual' && !chosenUri(endpoint.virtual.items, value)) continue
    byServer.set(uri.server, [...(byServer.get(uri.server) ?? []), uri.uri])
  }
  return byServer
}

/**
 * What a list of a virtual server shows follows from the state of what was chosen; a change of
 * anything else behind it is none of its. Undefined for endpoints that show what there is.
 */
export function contentDigest(
  { resolved }: Pick<Arrival, 'resolved'>,
  list: ListName,
): string | undefined {
  if (resolved.kind !== 'shared' || resolved.endpoint.kind !== 'virtual') return undefined
  const kinds: readonly string[] = KINDS[list]
  const { items } = resolved.endpoint.virtual
  return JSON.stringify(
    items
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ server, key, state }) => [server, key, state]),
  )
}
