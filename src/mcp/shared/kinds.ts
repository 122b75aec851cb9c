import { isPlainObject } from '../../core/index.ts'
import { CATALOG_LISTS, type CatalogKind, type CatalogList } from '../../registry/index.ts'
import { type Selector, withSelector } from './fleet-view.ts'
import { exposedName, exposedUri } from './naming.ts'

/** One list of MCP, and how it looks where several servers meet. */
export interface ListKind extends CatalogList {
  readonly kind: CatalogKind
  /** How an item of a server is named on a shared endpoint. */
  readonly expose: (server: string, key: string) => string
}

const listOf = (kind: CatalogKind, expose: ListKind['expose']): [string, ListKind] => [
  CATALOG_LISTS[kind].method,
  { ...CATALOG_LISTS[kind], kind, expose },
]

/** The lists of MCP, by method. */
export const LISTS: Readonly<Record<string, ListKind>> = Object.fromEntries([
  listOf('tool', exposedName),
  listOf('prompt', exposedName),
  listOf('resource', exposedUri),
  listOf('template', exposedUri),
])

/** What an administrator changed about an item. */
export interface Override {
  /** Of a tool or prompt: its whole name. Of a resource or template: its display name. */
  readonly name?: string
  readonly title?: string
  readonly description?: string
  /** Of a tool that several upstreams share. */
  readonly selector?: Selector
}

/** The definition of an item as a client of a shared endpoint sees it, as JSON. */
export function exposedDefinition(
  list: ListKind,
  server: string,
  item: { readonly key: string; readonly definition: string },
  { selector, ...words }: Override = {},
): string {
  const definition: unknown = JSON.parse(item.definition)
  if (!isPlainObject(definition)) return item.definition
  // Tasks of 2025-11-25 cannot be asked for here.
  const { execution: _, ...rest } = definition
  const { _meta } = definition
  return JSON.stringify({
    ...(list.kind === 'tool' ? rest : definition),
    ...(selector ? { inputSchema: withSelector(definition['inputSchema'], selector) } : {}),
    ...(isPlainObject(_meta) ? { _meta: exposedMeta(server, _meta) } : {}),
    // A tool's or prompt's name is its key, so an override of it wins over what is made here.
    [list.keyMember]: list.expose(server, item.key),
    ...words,
  })
}

/** MCP Apps: a tool names the resource that shows its result, in either of two spellings. */
function exposedMeta(server: string, meta: Record<string, unknown>): Record<string, unknown> {
  const { ui } = meta
  const flat = meta['ui/resourceUri']
  return {
    ...meta,
    ...(isPlainObject(ui) && typeof ui['resourceUri'] === 'string'
      ? { ui: { ...ui, resourceUri: exposedUri(server, ui['resourceUri']) } }
      : {}),
    ...(typeof flat === 'string' ? { 'ui/resourceUri': exposedUri(server, flat) } : {}),
  }
}
