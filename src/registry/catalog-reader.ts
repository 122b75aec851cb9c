import type { CallContext, ServerId, TenantId } from '../core/index.ts'
import type { CatalogKind, DiscoveredCounts } from './catalog.ts'

/** An item that is served, its definition unread. */
export interface CatalogEntry {
  /** Name of a tool or prompt, URI of a resource, URI template of a template. */
  readonly key: string
  /** A JSON object as text, as the upstream gave it. */
  readonly definition: string
  /** SHA-256 of the canonical definition. */
  readonly contentHash: string
  /** In the order of the upstream; unique in its server and kind. */
  readonly position: number
}

/** Reads what servers offer, as it is stored. */
export interface CatalogReader {
  /**
   * Served items of several servers at once, each list in its stored order; servers without any
   * are absent. From D1, in as few reads as bounded answers allow. Throws what D1 throws.
   */
  items(
    ctx: CallContext,
    tenant: TenantId,
    servers: readonly { readonly id: ServerId; readonly discovered: DiscoveredCounts }[],
    kind: CatalogKind,
  ): Promise<ReadonlyMap<ServerId, readonly CatalogEntry[]>>
}

/** Served items that one read may bring. */
const ITEMS_PER_READ = 2_000
/** What a server counts for at least, since it may offer more by now: at most 80 servers a read. */
const LEAST_ITEMS = 25

/** @see CatalogReader */
export function createCatalogReader(source: {
  served(
    tenant: TenantId,
    servers: readonly ServerId[],
    kind: CatalogKind,
  ): Promise<(CatalogEntry & { readonly serverId: ServerId })[]>
}): CatalogReader {
  return {
    async items(_ctx, tenant, servers, kind) {
      const found = new Map<ServerId, CatalogEntry[]>()
      for (const ids of reads(servers, kind)) {
        for (const { serverId, ...entry } of await source.served(tenant, ids, kind)) {
          const entries = found.get(serverId)
          if (entries === undefined) found.set(serverId, [entry])
          else entries.push(entry)
        }
      }
      for (const entries of found.values()) entries.sort((a, b) => a.position - b.position)
      return found
    },
  }
}

/** Ids of servers that are read together. */
function reads(
  servers: readonly { readonly id: ServerId; readonly discovered: DiscoveredCounts }[],
  kind: CatalogKind,
): ServerId[][] {
  const all: ServerId[][] = []
  let items = Number.POSITIVE_INFINITY
  for (const { id, discovered } of servers) {
    const count = Math.max(LEAST_ITEMS, discovered[COUNTED[kind]])
    if (items + count > ITEMS_PER_READ) {
      all.push([])
      items = 0
    }
    all.at(-1)?.push(id)
    items += count
  }
  return all
}

const COUNTED: Readonly<Record<CatalogKind, keyof DiscoveredCounts>> = {
  tool: 'tools',
  resource: 'resources',
  template: 'resourceTemplates',
  prompt: 'prompts',
}
