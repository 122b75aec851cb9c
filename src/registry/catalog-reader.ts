import type { CallContext, ServerId, TenantId } from '../core/index.ts'
import { type DiscoveredCounts, MAX_ITEMS_OF_KIND } from './catalog.ts'
import { CATALOG_LISTS, type CatalogKind } from './catalog-kinds.ts'

/** What is known of a served item without its definition, which may be large. */
export interface CatalogHead {
  readonly serverId: ServerId
  /** Name of a tool or prompt, URI of a resource, URI template of a template. */
  readonly key: string
  /** SHA-256 of the canonical definition. */
  readonly contentHash: string
  /** In the order of the upstream; unique in its server and kind. */
  readonly position: number
  /** Of the definition, in UTF-8. */
  readonly bytes: number
}

/** The first so many of the servers that were asked for. */
export interface CatalogPart {
  /** At least one, when any were asked for. */
  readonly servers: number
  /** Every served item of theirs, in the order of the servers and then of the upstream. */
  readonly heads: readonly CatalogHead[]
}

type Servers = readonly { readonly id: ServerId; readonly discovered: DiscoveredCounts }[]

/** Reads what servers offer, as it is stored. Its methods throw what D1 throws. */
export interface CatalogReader {
  /** What as many of the servers offer as one read may bring: about 2,000 items. */
  part(
    ctx: CallContext,
    tenant: TenantId,
    servers: Servers,
    kind: CatalogKind,
  ): Promise<CatalogPart>
  /**
   * Definitions as the upstreams gave them, JSON objects as text, in one read: the caller bounds
   * it by the heads' bytes. What was replaced since its head was read is absent.
   */
  definitions(
    ctx: CallContext,
    tenant: TenantId,
    kind: CatalogKind,
    heads: readonly CatalogHead[],
  ): Promise<ReadonlyMap<CatalogHead, string>>
}

/** What the reader reads, from D1. */
export interface CatalogSource {
  /** In no order. */
  heads(
    tenant: TenantId,
    servers: readonly ServerId[],
    kind: CatalogKind,
    limit: number,
  ): Promise<CatalogHead[]>
  definitions(
    tenant: TenantId,
    kind: CatalogKind,
    heads: readonly CatalogHead[],
  ): Promise<(Pick<CatalogHead, 'serverId' | 'position'> & { readonly definition: string })[]>
}

/** Items that one read may bring: as many as one server may have of a kind. */
const ITEMS_PER_READ = MAX_ITEMS_OF_KIND
/** What a server counts for at least, since it may offer more by now: at most 80 servers a read. */
const LEAST_ITEMS = 25

/** @see CatalogReader */
export function createCatalogReader(source: CatalogSource): CatalogReader {
  return {
    async part(_ctx, tenant, servers, kind) {
      for (let count = fitting(servers, kind); count > 0; count = Math.floor(count / 2)) {
        const ids = servers.slice(0, count).map(({ id }) => id)
        const heads = await source.heads(tenant, ids, kind, ITEMS_PER_READ + 1)
        // One more than may be: they offer more than is known of them, so fewer are read.
        if (heads.length <= ITEMS_PER_READ || count === 1) {
          return { servers: count, heads: inOrder(ids, heads) }
        }
      }
      return { servers: 0, heads: [] }
    },

    async definitions(_ctx, tenant, kind, heads) {
      if (heads.length === 0) return new Map()
      const rows = await source.definitions(tenant, kind, heads)
      const found = new Map(rows.map((row) => [itemKey(row), row.definition]))
      return new Map(
        heads.flatMap((head) => {
          const definition = found.get(itemKey(head))
          return definition === undefined ? [] : [[head, definition] as const]
        }),
      )
    },
  }
}

/** How many of the servers are read together, by what they are known to offer. */
function fitting(servers: Servers, kind: CatalogKind): number {
  const { member } = CATALOG_LISTS[kind]
  let items = 0
  let count = 0
  for (const { discovered } of servers) {
    items += Math.max(LEAST_ITEMS, discovered[member])
    if (count > 0 && items > ITEMS_PER_READ) break
    count += 1
  }
  return count
}

function inOrder(ids: readonly ServerId[], heads: readonly CatalogHead[]): CatalogHead[] {
  const places = new Map(ids.map((id, place) => [id, place]))
  const place = ({ serverId }: CatalogHead): number => places.get(serverId) ?? ids.length
  return heads.toSorted((a, b) => place(a) - place(b) || a.position - b.position)
}

function itemKey({ serverId, position }: Pick<CatalogHead, 'serverId' | 'position'>): string {
  return `${serverId} ${position}`
}
