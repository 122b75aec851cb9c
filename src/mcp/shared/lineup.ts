import { type Actor, type Decision, decide, toolFilter } from '../../policy/index.ts'
import type { IndexedServer, VirtualItem } from '../../registry/index.ts'
import type { SharedEndpoint } from './endpoint.ts'
import { type FleetView, fleetViews } from './fleet-view.ts'
import type { ListKind, Override } from './kinds.ts'

/** One server's part of a list. */
export interface Section {
  readonly server: IndexedServer
  /** How an item is shown; undefined for one that is not. */
  show(key: string, contentHash: string): Override | undefined
}

/** A server, or one of its items, that is missing or may be out of date, and why. */
export interface Unavailable {
  readonly server: string
  /** Of a virtual server: held back until somebody approves it as it is now. */
  readonly item?: string
  /** Of a tool that several upstreams share: what means this one. */
  readonly value?: string
  readonly reason: 'not_reached' | 'unhealthy' | 'changed' | 'missing'
}

/** Who takes part in a list of one endpoint for one caller, in the order of the list. */
export interface Lineup {
  readonly sections: readonly Section[]
  /** Servers that would take part, had they ever been reached. */
  readonly unreached: readonly IndexedServer[]
  readonly unavailable: readonly Unavailable[]
  /** Set when nothing takes part, and a scope of the token would change that. */
  readonly missingScope: string | undefined
}

export type Era = 'modern' | 'legacy'

export interface LineupRequest {
  readonly actor: Actor
  readonly endpoint: SharedEndpoint
  /** Of the client; `any` for readers that speak no MCP. */
  readonly era: Era | 'any'
  readonly method: string
  readonly list: ListKind
}

/** Callers remembered per list of servers. */
const MAX_REMEMBERED = 200
/** Parts of all their lineups together; a tenant may have 10,000 servers. */
const MAX_REMEMBERED_PARTS = 20_000

interface Remembered {
  /** The one used last stands last. */
  readonly lineups: Map<string, Lineup>
  parts: number
}

// A loaded index never changes, so what follows from it may hang on it.
const remembered = new WeakMap<readonly IndexedServer[], Remembered>()

/** @see Lineup */
export function lineupOf(index: readonly IndexedServer[], request: LineupRequest): Lineup {
  const kept = remembered.get(index) ?? { lineups: new Map<string, Lineup>(), parts: 0 }
  remembered.set(index, kept)
  const key = keyOf(request)
  const known = kept.lineups.get(key)
  const lineup = known ?? compose(index, request)
  kept.lineups.delete(key)
  kept.lineups.set(key, lineup)
  if (!known) remember(kept, lineup)
  return lineup
}

function remember(kept: Remembered, added: Lineup): void {
  kept.parts += partsOf(added)
  for (const [oldest, lineup] of kept.lineups) {
    if (kept.parts <= MAX_REMEMBERED_PARTS && kept.lineups.size <= MAX_REMEMBERED) return
    kept.lineups.delete(oldest)
    kept.parts -= partsOf(lineup)
  }
}

function partsOf({ sections, unreached, unavailable }: Lineup): number {
  return sections.length + unreached.length + unavailable.length
}

/** Everything of a caller that a decision looks at. */
function keyOf({ actor, endpoint, era, method }: LineupRequest): string {
  const { key, groups, scopes } = actor.principal
  return JSON.stringify([endpoint.path, method, era, actor.rights.digest, key, groups, scopes])
}

function compose(index: readonly IndexedServer[], request: LineupRequest): Lineup {
  const { actor, endpoint, method, list } = request
  const sections: Section[] = []
  const unreached: IndexedServer[] = []
  const unavailable: Unavailable[] = []
  const decisions: Decision[] = []
  const chosen = chosenItems(request)
  const fleets = createFleets(request, sections)
  for (const server of index) {
    const items = chosen?.get(server.path)
    if (endpoint.kind === 'own' || (chosen && !items)) continue
    const decision = decide(actor, server, method)
    decisions.push(decision)
    if (decision.kind !== 'allow' || (items && !seesAny(request, server, items))) continue
    const { path } = server
    if (server.catalogHash === null) {
      unreached.push(server)
      unavailable.push({ server: path, reason: 'not_reached' })
      continue
    }
    if (server.upstream.capabilities?.[list.capability] === undefined) continue
    if (server.health === 'unhealthy') unavailable.push({ server: path, reason: 'unhealthy' })
    sections.push(sectionOf(request, server, items, fleets))
  }
  unavailable.push(...heldBack(index, request))
  const refused = decisions.find((one) => one.kind === 'insufficient_scope')
  const isEmpty = sections.length === 0 && unreached.length === 0
  return {
    sections,
    unreached,
    unavailable,
    missingScope: isEmpty && refused?.kind === 'insufficient_scope' ? refused.scope : undefined,
  }
}

/** Of a virtual server: what was chosen of each server, by key. */
function chosenItems({ endpoint, list }: LineupRequest) {
  if (endpoint.kind !== 'virtual') return undefined
  const byServer = new Map<string, Map<string, VirtualItem>>()
  for (const item of endpoint.virtual.items) {
    if (item.kind !== list.kind) continue
    const items = byServer.get(item.server) ?? new Map<string, VirtualItem>()
    byServer.set(item.server, items.set(item.key, item))
  }
  return byServer
}

/** Told only of what the caller would see. */
function heldBack(index: readonly IndexedServer[], request: LineupRequest): Unavailable[] {
  const { actor, endpoint, method, list } = request
  if (endpoint.kind !== 'virtual') return []
  const servers = new Map(index.map((one) => [one.path as string, one]))
  return endpoint.virtual.items.flatMap((item): Unavailable[] => {
    const { kind, server, key, name, state, fleet } = item
    if (kind !== list.kind || state === 'ok') return []
    const behind = servers.get(server)
    if (!behind || decide(actor, behind, method).kind !== 'allow') return []
    if (!chosenFilter(request, behind)(item)) return []
    const value = fleet && { value: fleet.value }
    return [{ server, item: name === '' ? key : name, ...value, reason: state }]
  })
}

/** A server of which the caller sees no item is none of his business. */
function seesAny(
  request: LineupRequest,
  server: IndexedServer,
  items: ReadonlyMap<string, VirtualItem>,
): boolean {
  return [...items.values()].some(chosenFilter(request, server))
}

/** A virtual server never widens: its caller needs the right to the item behind it as well. */
function chosenFilter(
  { actor, endpoint, list }: LineupRequest,
  server: IndexedServer,
): (item: VirtualItem) => boolean {
  if (endpoint.kind !== 'virtual' || list.kind !== 'tool') return () => true
  const own = toolFilter(actor, endpoint.virtual)
  const behind = toolFilter(actor, server)
  return ({ key, name }) => (own === 'all' || own(name)) && (behind === 'all' || behind(key))
}

/**
 * How tools that several upstreams share are shown, once it is known who takes part: the same for as
 * long as the lineup lives.
 */
function createFleets(request: LineupRequest, sections: readonly Section[]) {
  const { endpoint } = request
  let views: ReadonlyMap<string, FleetView> | undefined
  return (name: string): FleetView | undefined => {
    if (endpoint.kind !== 'virtual') return undefined
    if (!views) {
      const servers = new Map(sections.map(({ server }) => [server.path as string, server]))
      views = fleetViews(endpoint.virtual.items, (item) => {
        const server = servers.get(item.server)
        return server !== undefined && chosenFilter(request, server)(item)
      })
    }
    return views.get(name)
  }
}

function sectionOf(
  request: LineupRequest,
  server: IndexedServer,
  items: ReadonlyMap<string, VirtualItem> | undefined,
  fleets: ReturnType<typeof createFleets>,
): Section {
  if (items) {
    const isShown = chosenFilter(request, server)
    return {
      server,
      show(key, contentHash) {
        const item = items.get(key)
        // What changed since it was chosen is held back until somebody approves it again.
        if (item?.contentHash !== contentHash || !isShown(item)) return undefined
        return item.fleet ? fleetOverride(item, fleets(item.name)) : overrideOf(item)
      },
    }
  }
  const filter = request.list.kind === 'tool' ? toolFilter(request.actor, server) : 'all'
  return { server, show: (key) => (filter === 'all' || filter(key) ? {} : undefined) }
}

/** One of its items stands for a tool; the others are not shown. */
function fleetOverride(item: VirtualItem, view: FleetView | undefined): Override | undefined {
  if (view?.lead.server !== item.server || view.lead.key !== item.key) return undefined
  const { title, toolDescription: description, selector } = view
  return {
    name: item.name,
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
    selector,
  }
}

function overrideOf({ name, title, description }: VirtualItem): Override {
  return {
    ...(name === '' ? {} : { name }),
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
  }
}
