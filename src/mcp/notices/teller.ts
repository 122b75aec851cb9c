import type { CallContext } from '../../core/index.ts'
import type { ServerRecord, Snapshots } from '../../registry/index.ts'
import type { CatalogStub } from '../catalog/live-catalog.ts'
import type { ListName } from '../list-changes.ts'
import { partitionOf } from '../partition.ts'
import { createItemChanges } from './item-changes.ts'
import type { Change, EventsState, Notice, Wanted, WatchTarget } from './notice.ts'
import { createRounds } from './rounds.ts'

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

/**
 * After what was told, before more is: a server that says without end that it has changed is read,
 * and its clients woken, once a second.
 */
const REST_MS = 1_000

/** @see Teller */
export function createTeller(deps: TellerDeps, ctx: CallContext, target: WatchTarget): Teller {
  const { tenant, path, serverId } = target
  const lists = new Set<ListName>()
  /** Told if what the server offers is another now. */
  const doubtful = new Set<ListName>()
  const { waitUntil, onFault } = deps
  const listRounds = createRounds({ waitUntil, onFault, restMs: REST_MS, round: tellLists })
  const items = createItemChanges({
    ...{ waitUntil, onFault, restMs: REST_MS },
    send: (change) => send(change, 0),
  })

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
      const object = deps.catalogObject(partitionOf(serverId))
      const asked = { tenant, path, serverId, endpointIds }
      return (await object.refresh(asked, { hasChanged: true })).kind === 'stored'
    } catch (thrown) {
      deps.onFault(thrown)
      return false
    }
  }

  async function send(change: Change, generation: number): Promise<void> {
    const notice: Notice = { id: ctx.random.uuid(), server: serverId, path, generation, change }
    const object = deps.eventsObject(tenant)
    // It may have been told when its reply was lost: who heard it knows it by its id.
    await object.tell(notice).catch(() => object.tell(notice))
  }

  async function tellLists(): Promise<void> {
    const said = [...lists]
    const doubted = [...doubtful]
    lists.clear()
    doubtful.clear()
    const isOther = await refresh()
    // Told all the same when it could not be asked: its clients may ask it themselves.
    const told = new Set(isOther ? [...said, ...doubted] : said)
    if (told.size === 0) return
    const { generation } = await deps.snapshots.confirmed(ctx, tenant)
    for (const list of told) await send({ kind: 'list', list }, generation)
  }

  function tell(change: Change): void {
    if (change.kind === 'list') {
      lists.add(change.list)
      listRounds.ask()
    } else items.add(change)
  }

  return {
    load,
    tell,
    afterGap(told) {
      for (const uri of told.uris) tell({ kind: 'resource', uri })
      if (told.lists.length === 0) return
      for (const list of told.lists) doubtful.add(list)
      listRounds.ask()
    },
  }
}
