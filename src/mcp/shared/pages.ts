import { type CallContext, sha256Hex, type TenantId } from '../../core/index.ts'
import type { CatalogHead, CatalogReader } from '../../registry/index.ts'
import { legacyTool } from '../bridge/to-legacy.ts'
import { exposedDefinition, type ListKind, type Override } from './kinds.ts'
import type { Lineup, LineupRequest, Section } from './lineup.ts'

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
  /** Of the endpoint. */
  readonly path: string
  readonly era: LineupRequest['era']
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
const PAGE_BYTES = 2 * 1024 * 1024
/**
 * Times that a page looks further, at about 2,000 items each and with two reads: one that hides so
 * much ends early, and its position goes on.
 */
const MAX_LOOKS = 10
const THE_START: Position = { server: '', after: -1 }
/** Behind every item of a server. */
const ITS_END = Number.MAX_SAFE_INTEGER
/** Characters of all pages that an isolate of 128 MB keeps. */
const MAX_KEPT_CHARS = 16 * 1024 * 1024

/** @see Pages */
export function createPages(deps: { readonly catalog: CatalogReader }): Pages {
  const kept = new Map<string, Page>()
  const members = new WeakMap<Lineup, string>()
  let keptChars = 0

  function keep(key: string, page: Page): void {
    kept.set(key, page)
    // An empty page takes room as well.
    keptChars += key.length + page.items.length
    for (const [oldest, { items }] of kept) {
      if (keptChars <= MAX_KEPT_CHARS) return
      kept.delete(oldest)
      keptChars -= oldest.length + items.length
    }
  }

  /** Who takes part, however many: a lineup is the same for as long as nothing has changed. */
  async function digestMembers(lineup: Lineup): Promise<string> {
    const digest = await sha256Hex(lineup.sections.map(({ server }) => server.id).join())
    members.set(lineup, digest)
    return digest
  }

  return {
    async page(ctx, request) {
      const { lineup } = request
      const key = keyOf(request, members.get(lineup) ?? (await digestMembers(lineup)))
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
function keyOf(request: PageRequest, members: string): string {
  const { tenant, generation, policyDigest, path, era, list, from } = request
  const at = from ? [from.server, from.after] : null
  return JSON.stringify([tenant, generation, policyDigest, path, era, list.kind, at, members])
}

/** An item that this caller is shown. */
interface Shown {
  readonly head: CatalogHead
  readonly server: string
  readonly override: Override
}

/** What is offered is read without its definitions; those only of what the page shows. */
async function read(
  catalog: CatalogReader,
  ctx: CallContext,
  { tenant, era, list, lineup, from }: PageRequest,
): Promise<Page> {
  const page = createFilling()
  let at = from ?? THE_START
  for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
    const sections = sectionsBehind(lineup.sections, at)
    const servers = sections.map(({ server }) => server)
    const part = await catalog.part(ctx, tenant, servers, list.kind)
    const shown = shownOf(part.heads, sections, at)
    const chosen = page.fitting(shown)
    const heads = chosen.map(({ head }) => head)
    const definitions = await catalog.definitions(ctx, tenant, list.kind, heads)
    const isReplaced = ({ head }: Shown): boolean => !definitions.has(head)
    const count = chosen.some(isReplaced) ? chosen.findIndex(isReplaced) : chosen.length
    for (const { head, server, override } of chosen.slice(0, count)) {
      const stored = definitions.get(head) ?? ''
      const isLegacyTool = era === 'legacy' && list.kind === 'tool'
      const item = { key: head.key, definition: isLegacyTool ? legacyTool(stored) : stored }
      page.add(exposedDefinition(list, server, item, override), head.bytes)
      at = { server, after: head.position }
    }
    // Replaced by the upstream between the two reads: what it is now is looked at anew.
    if (count < chosen.length) continue
    if (chosen.length < shown.length) return page.upTo(at)
    if (part.servers === sections.length) return page.upTo(undefined)
    at = { server: servers[part.servers - 1]?.path ?? '', after: ITS_END }
  }
  return page.upTo(at)
}

/** A page being filled. */
function createFilling() {
  const texts: string[] = []
  let bytes = 0
  return {
    /** The first of the items, as many as fit. One always fits into an empty page. */
    fitting(items: readonly Shown[]): readonly Shown[] {
      let room = PAGE_BYTES - bytes
      const isOver = ({ head }: Shown, index: number): boolean => {
        room -= head.bytes
        return texts.length + index >= PAGE_ITEMS || (room < 0 && texts.length + index > 0)
      }
      const end = items.findIndex(isOver)
      return end < 0 ? items : items.slice(0, end)
    },
    add(text: string, ofBytes: number): void {
      texts.push(text)
      bytes += ofBytes
    },
    upTo: (next: Position | undefined): Page => ({
      items: texts.join(),
      count: texts.length,
      next,
    }),
  }
}

/** Sections are in the order of their servers' paths. */
function sectionsBehind(sections: readonly Section[], at: Position): Section[] {
  return sections.filter(({ server: { path } }) => {
    return at.after === ITS_END ? path > at.server : path >= at.server
  })
}

function shownOf(
  heads: readonly CatalogHead[],
  sections: readonly Section[],
  at: Position,
): Shown[] {
  const byServer = new Map(sections.map((section) => [section.server.id, section]))
  return heads.flatMap((head): Shown[] => {
    const section = byServer.get(head.serverId)
    if (!section) return []
    const { path } = section.server
    if (path === at.server && head.position <= at.after) return []
    const override = section.show(head.key, head.contentHash)
    return override ? [{ head, server: path, override }] : []
  })
}
