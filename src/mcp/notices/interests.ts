import type { ServerId } from '../../core/index.ts'
import { ListName } from '../list-changes.ts'
import { type Change, isWithin, MAX_URI_CHARS, type ServerWant, type Wanted } from './notice.ts'

/** Who wants to be told what, of all servers of a tenant. Pure, in memory. */
export interface Interests {
  /**
   * Replaces what the subscriber wants; gives the servers that are concerned. `owner` is whose it
   * is: what one owner may want of a server is bounded for all of his subscribers together.
   */
  set(subscriber: string, wants: readonly ServerWant[], owner?: string): readonly ServerId[]
  /** Everything that is wanted of a server; undefined when nothing is. */
  union(server: ServerId): ServerWant | undefined
  /** What of a server this subscriber wants. */
  of(subscriber: string): readonly ServerWant[]
  /** Who wants to be told of this change, each once. */
  hearers(server: ServerId, change: Change): readonly string[]
  subscribers(): readonly string[]
  servers(): readonly ServerId[]
}

/** Of one server, by all its subscribers; more are not honoured. */
const MAX_URIS_OF_SERVER = 1_000
/** Of these, and of the tasks, by one owner: a quarter. More are not honoured. */
export const MAX_OF_OWNER = 250
/** Of one stream, over all servers. */
export const MAX_URIS_OF_STREAM = 500
/** Of one server, by all its subscribers; more are not honoured. */
const MAX_TASKS_OF_SERVER = 1_000
/** Of one stream, over all servers. */
export const MAX_TASKS_OF_STREAM = 100
/** That one stream may be told of. */
export const MAX_SERVERS_OF_STREAM = 500

/** What is wanted of one server, and by how many. */
interface Counted {
  path: ServerWant['path']
  readonly lists: Map<ListName, number>
  readonly uris: Map<string, number>
  readonly tasks: Map<string, number>
  readonly wants: Map<string, Wanted>
}

/** @see Interests */
export function createInterests(): Interests {
  const servers = new Map<ServerId, Counted>()
  const bySubscriber = new Map<string, readonly ServerWant[]>()
  const ownerOf = new Map<string, string>()
  const subscribersOf = new Map<string, Set<string>>()

  /** What of a want fits beside what its owner's other subscribers want of the same server. */
  function sharedOut(want: ServerWant, others: readonly string[]): ServerWant {
    const wants = servers.get(want.server)?.wants
    const held = others.flatMap((other) => wants?.get(other) ?? [])
    const uris = fitting(want.uris, new Set(held.flatMap(({ uris }) => uris)))
    const tasks = fitting(want.tasks ?? [], new Set(held.flatMap(({ tasks = [] }) => tasks)))
    const { tasks: _, ...rest } = want
    return { ...rest, uris, ...(tasks.length > 0 ? { tasks } : {}) }
  }

  function count(want: ServerWant, subscriber: string): void {
    const { server, path, lists, uris, tasks = [] } = want
    const counted = servers.get(server) ?? {
      path,
      lists: new Map<ListName, number>(),
      uris: new Map<string, number>(),
      tasks: new Map<string, number>(),
      wants: new Map<string, Wanted>(),
    }
    servers.set(server, counted)
    counted.path = path
    for (const list of lists) increase(counted.lists, list)
    for (const uri of uris) increase(counted.uris, uri)
    for (const task of tasks) increase(counted.tasks, task)
    counted.wants.set(subscriber, want)
  }

  function discount({ server, lists, uris, tasks = [] }: ServerWant, subscriber: string): void {
    const counted = servers.get(server)
    if (!counted) return
    for (const list of lists) decrease(counted.lists, list)
    for (const uri of uris) decrease(counted.uris, uri)
    for (const task of tasks) decrease(counted.tasks, task)
    counted.wants.delete(subscriber)
    if (counted.wants.size === 0) servers.delete(server)
  }

  return {
    set(subscriber, wants, given = subscriber) {
      const owner = ownerOf.get(subscriber) ?? given
      const before = bySubscriber.get(subscriber) ?? []
      for (const want of before) discount(want, subscriber)
      const own = subscribersOf.get(owner) ?? new Set<string>()
      own.delete(subscriber)
      const after = bounded(wants).map((want) => sharedOut(want, [...own]))
      for (const want of after) count(want, subscriber)
      if (after.length > 0) {
        bySubscriber.set(subscriber, after)
        ownerOf.set(subscriber, owner)
        own.add(subscriber)
      } else {
        bySubscriber.delete(subscriber)
        ownerOf.delete(subscriber)
      }
      if (own.size > 0) subscribersOf.set(owner, own)
      else subscribersOf.delete(owner)
      return [...new Set([...before, ...after].map(({ server }) => server))]
    },

    union(server) {
      const counted = servers.get(server)
      if (!counted) return undefined
      const { path, lists, uris, tasks } = counted
      const ids = [...tasks.keys()].slice(0, MAX_TASKS_OF_SERVER)
      return {
        server,
        path,
        lists: ListName.options.filter((list) => lists.has(list)),
        uris: [...uris.keys()].slice(0, MAX_URIS_OF_SERVER),
        ...(ids.length > 0 ? { tasks: ids } : {}),
      }
    },

    of: (subscriber) => bySubscriber.get(subscriber) ?? [],

    hearers(server, change) {
      const counted = servers.get(server)
      // What somebody subscribed to is theirs: whoever wants what it is a part of did not ask for it,
      // and might learn what others look at.
      const isTheirs = change.kind === 'resource' && counted?.uris.has(change.uri) === true
      return [...(counted?.wants ?? [])].flatMap(([subscriber, want]) =>
        hears(want, change, isTheirs) ? [subscriber] : [],
      )
    },

    subscribers: () => [...bySubscriber.keys()],
    servers: () => [...servers.keys()],
  }
}

/** Whether a change is one of what is wanted. */
function hears({ lists, uris, tasks = [] }: Wanted, change: Change, isTheirs: boolean): boolean {
  switch (change.kind) {
    case 'list':
      return lists.includes(change.list)
    case 'resource':
      return isTheirs ? uris.includes(change.uri) : uris.some((uri) => isWithin(change.uri, uri))
    case 'task':
      return tasks.includes(change.id)
  }
}

function increase<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function decrease<K>(counts: Map<K, number>, key: K): void {
  const left = (counts.get(key) ?? 1) - 1
  if (left > 0) counts.set(key, left)
  else counts.delete(key)
}

/** The first of them, as far as there is room beside what is held; what is held takes none. */
function fitting(wanted: readonly string[], held: ReadonlySet<string>): string[] {
  let left = MAX_OF_OWNER - held.size
  return wanted.filter((one) => {
    if (held.has(one)) return true
    left -= 1
    return left >= 0
  })
}

/** Each server once, each thing of it once, and no more than a stream may want. */
function bounded(wants: readonly ServerWant[]): ServerWant[] {
  const byServer = new Map(wants.map((want) => [want.server, want]))
  let left = MAX_URIS_OF_STREAM
  let tasksLeft = MAX_TASKS_OF_STREAM
  return [...byServer.values()].slice(0, MAX_SERVERS_OF_STREAM).map((want) => {
    const known = want.uris.filter((uri) => uri.length <= MAX_URI_CHARS)
    const uris = [...new Set(known)].slice(0, left)
    left -= uris.length
    const { tasks: wanted, ...rest } = want
    const tasks = [...new Set(wanted)].slice(0, tasksLeft)
    tasksLeft -= tasks.length
    const lists = [...new Set(want.lists)]
    return { ...rest, lists, uris, ...(tasks.length > 0 ? { tasks } : {}) }
  })
}
