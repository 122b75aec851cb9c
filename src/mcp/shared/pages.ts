import { type CallContext, sha256Hex, type TenantId } from '../../core/index.ts'
import type { CatalogReader, IndexedServer } from '../../registry/index.ts'
import { exposedDefinition, type ListKind } from './kinds.ts'
import type { Lineup, Section } from './lineup.ts'

/** Where a page begins: behind this item of this server. */
export interface Position {
  readonly server: string
  readonly after: number
}

/** A part of a merged list. */
export interface Page {
  /** Items as JSON, joined by commas. */
  readonly items: string
  readonly count: number
  readonly next: Position | undefined
}

export interface PageRequest {
  readonly tenant: TenantId
  /** Of the tenant's registry and policy: what was built for another one is not used. */
  readonly generation: number
  /** Of the caller's rights. */
  readonly policyDigest: string
  /** Of the endpoint and its era: the rest of what tells one list from another. */
  readonly name: string
  readonly list: ListKind
  readonly lineup: Lineup
  readonly from: Position | undefined
}

/** Pages of merged lists, read from the stored catalogue and kept per isolate. */
export interface Pages {
  page(ctx: CallContext, request: PageRequest): Promise<Page>
}

/** Enough that most lists are one page; few clients show more to a model. */
const PAGE_ITEMS = 1_000
/** A page that a client can hold, and an answer that a proxy lets through. */
const PAGE_CHARS = 2 * 1024 * 1024
/** Items that are read at once. */
const READ_ITEMS = 2_000
/** Characters of all pages that an isolate of 128 MB keeps. */
const MAX_KEPT_CHARS = 16 * 1024 * 1024

/** @see Pages */
export function createPages(deps: { readonly catalog: CatalogReader }): Pages {
  const kept = new Map<string, Page>()
  let keptChars = 0

  function keep(key: string, page: Page): void {
    kept.set(key, page)
    keptChars += page.items.length
    for (const [oldest, { items }] of kept) {
      if (keptChars <= MAX_KEPT_CHARS) return
      kept.delete(oldest)
      keptChars -= items.length
    }
  }

  return {
    async page(ctx, request) {
      const key = await keyOf(request)
      const known = kept.get(key)
      if (known) return known
      const page = await read(deps.catalog, ctx, request)
      if (!kept.has(key)) keep(key, page)
      return page
    },
  }
}

/**
 * The same rights over the same servers share a page; anything else never does. The digest of the
 * rights says nothing of ownership and visibility, which show in who takes part.
 */
async function keyOf(request: PageRequest): Promise<string> {
  const { tenant, generation, policyDigest, name, list, lineup, from } = request
  const members = lineup.sections.map(({ server }) => server.id).join()
  const parts = [tenant, generation, policyDigest, name, list.kind, from ?? null, members]
  return sha256Hex(JSON.stringify(parts))
}

async function read(
  catalog: CatalogReader,
  ctx: CallContext,
  { tenant, list, lineup, from }: PageRequest,
): Promise<Page> {
  const sections = lineup.sections.filter(({ server }) => !from || server.path >= from.server)
  const page = createFilling()
  for (const batch of batches(sections, list)) {
    const servers = batch.map(({ server }) => server)
    const items = await catalog.items(ctx, tenant, servers, list.kind)
    for (const { server, show } of batch) {
      for (const item of items.get(server.id) ?? []) {
        if (from && server.path === from.server && item.position <= from.after) continue
        const override = show(item.key, item.contentHash)
        if (!override) continue
        const text = exposedDefinition(list, server.path, item, override)
        if (!page.takes(text)) return page.full()
        page.add(text, { server: server.path, after: item.position })
      }
    }
  }
  return page.whole()
}

/** A page being filled. One item always fits. */
function createFilling() {
  const texts: string[] = []
  let chars = 0
  let last: Position | undefined
  const page = (next: Position | undefined): Page => ({
    items: texts.join(),
    count: texts.length,
    next,
  })
  return {
    takes: (text: string): boolean =>
      texts.length === 0 || (texts.length < PAGE_ITEMS && chars + text.length < PAGE_CHARS),
    add(text: string, position: Position): void {
      texts.push(text)
      chars += text.length
      last = position
    },
    /** For the end of the list. */
    whole: () => page(undefined),
    /** For a page that is full while there is at least one item more. */
    full: () => page(last),
  }
}

/** Servers that are read together: as many as a page may need, by what they are known to offer. */
function batches(sections: readonly Section[], list: ListKind): Section[][] {
  const all: Section[][] = []
  let batch: Section[] = []
  let items = 0
  for (const section of sections) {
    const count = countOf(section.server, list)
    if (batch.length > 0 && items + count > READ_ITEMS) {
      all.push(batch)
      batch = []
      items = 0
    }
    batch.push(section)
    items += count
  }
  return batch.length > 0 ? [...all, batch] : all
}

function countOf({ discovered }: IndexedServer, { kind }: ListKind): number {
  const counts = {
    tool: discovered.tools,
    prompt: discovered.prompts,
    resource: discovered.resources,
    template: discovered.resourceTemplates,
  }
  return counts[kind]
}
