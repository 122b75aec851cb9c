import type { CallContext } from '../../core/index.ts'
import type { ServerRecord, Snapshots } from '../../registry/index.ts'
import type { CatalogStub } from '../catalog/live-catalog.ts'
import type { Change, EventsState, ListName, Notice, Wanted, WatchTarget } from './notice.ts'

/** Brings what is known of a server up to date, then tells that it has changed. */
export interface Teller {
  /** The server by the registry of now; undefined when it is gone or disabled. */
  load(): Promise<ServerRecord | undefined>
  tell(change: Change): void
  /**
   * Nobody listened for a while: lists are told if what the server offers is another now, resources
   * in any case, since nobody can know. Clients ask for their tasks besides (SEP-2663, Task Polling).
   */
  afterGap(told: Wanted): void
}

export interface TellerDeps {
  readonly snapshots: Pick<Snapshots, 'tenant' | 'confirmed'>
  readonly catalogObject: (name: string) => CatalogStub
  readonly eventsObject: (tenant: string) => Pick<EventsState, 'tell'>
  readonly onFault: (thrown: unknown) => void
  readonly waitUntil: (work: Promise<unknown>) => void
}

/** Resources and tasks that have changed and are not told yet; a server that says more is not listened to. */
const MAX_PENDING = 1_000
/** Upstreams are spoken to with the server's own credentials; there are no others yet. */
const PARTITION = 'shared'

/** @see Teller */
export function createTeller(deps: TellerDeps, ctx: CallContext, target: WatchTarget): Teller {
  const { tenant, path, serverId } = target
  const lists = new Set<ListName>()
  /** Resources and tasks, by what they are: of a task only what it is now is told. */
  const others = new Map<string, Change>()
  let isRefreshing = false
  let isTelling = false

  async function load(): Promise<ServerRecord | undefined> {
    const snapshot = await deps.snapshots.tenant(ctx, tenant)
    const server = await snapshot.server(ctx, path)
    return server?.id === serverId && server.enabled ? server : undefined
  }

  /** Whether what the server offers is another now. Asks it, whatever is known. */
  async function refresh(): Promise<boolean> {
    try {
      const server = await load()
      if (!server) return false
      const endpointIds = server.endpoints.map(({ id }) => id)
      const object = deps.catalogObject(`${serverId}/${PARTITION}`)
      const asked = { tenant, path, serverId, endpointIds }
      return (await object.refresh(asked, { hasChanged: true })).kind === 'stored'
    } catch (thrown) {
      deps.onFault(thrown)
      return false
    }
  }

  async function send(change: Change, generation: number): Promise<void> {
    const notice: Notice = { server: serverId, path, generation, change }
    const object = deps.eventsObject(tenant)
    await object.tell(notice).catch(() => object.tell(notice))
  }

  /** What comes while the server is asked makes it be asked again: it may have changed since. */
  async function tellLists(): Promise<void> {
    if (isRefreshing) return
    isRefreshing = true
    try {
      while (lists.size > 0) {
        const told = [...lists]
        lists.clear()
        await refresh()
        // Told all the same when it could not be asked: its clients may ask it themselves.
        const { generation } = await deps.snapshots.confirmed(ctx, tenant)
        for (const list of told) await send({ kind: 'list', list }, generation)
      }
    } finally {
      isRefreshing = false
    }
  }

  async function tellOthers(): Promise<void> {
    if (isTelling) return
    isTelling = true
    try {
      for (let one = first(others); one !== undefined; one = first(others)) {
        const [key, change] = one
        others.delete(key)
        await send(change, 0)
      }
    } finally {
      isTelling = false
    }
  }

  function behind(work: Promise<void>): void {
    deps.waitUntil(work.catch(deps.onFault))
  }

  function tell(change: Change): void {
    if (change.kind === 'list') {
      lists.add(change.list)
      behind(tellLists())
      return
    }
    const key = JSON.stringify([change.kind, change.kind === 'task' ? change.id : change.uri])
    if (others.size >= MAX_PENDING && !others.has(key)) return
    others.set(key, change)
    behind(tellOthers())
  }

  return {
    load,
    tell,
    afterGap(told) {
      for (const uri of told.uris) tell({ kind: 'resource', uri })
      if (told.lists.length === 0) return
      const compare = async (): Promise<void> => {
        if (!(await refresh())) return
        const { generation } = await deps.snapshots.confirmed(ctx, tenant)
        for (const list of told.lists) await send({ kind: 'list', list }, generation)
      }
      behind(compare())
    },
  }
}

function first<K, V>(map: ReadonlyMap<K, V>): readonly [K, V] | undefined {
  const [one] = map
  return one
}
