import { isPlainObject } from '../../core/index.ts'
import type { CatalogKind } from '../../registry/index.ts'
import { exposedName, exposedUri } from './naming.ts'

/** One list method of MCP: what it lists, and where. */
export interface ListKind {
  readonly kind: CatalogKind
  /** Member of the result that holds the items. */
  readonly member: string
  /** Member of an item that names it. */
  readonly keyMember: 'name' | 'uri' | 'uriTemplate'
  /** Capability that a server declares for it. */
  readonly capability: 'tools' | 'prompts' | 'resources'
  /** How an item of a server is named on a shared endpoint. */
  readonly expose: (server: string, key: string) => string
}

/** The lists of MCP, by method. */
export const LISTS: Readonly<Record<string, ListKind>> = {
  'tools/list': {
    kind: 'tool',
    member: 'tools',
    keyMember: 'name',
    capability: 'tools',
    expose: exposedName,
  },
  'prompts/list': {
    kind: 'prompt',
    member: 'prompts',
    keyMember: 'name',
    capability: 'prompts',
    expose: exposedName,
  },
  'resources/list': {
    kind: 'resource',
    member: 'resources',
    keyMember: 'uri',
    capability: 'resources',
    expose: exposedUri,
  },
  'resources/templates/list': {
    kind: 'template',
    member: 'resourceTemplates',
    keyMember: 'uriTemplate',
    capability: 'resources',
    expose: exposedUri,
  },
}

/** What an administrator changed about an item. */
export interface Override {
  /** Of a tool or prompt: its whole name. Of a resource or template: its display name. */
  readonly name?: string
  readonly title?: string
  readonly description?: string
}

/** The definition of an item as a client of a shared endpoint sees it, as JSON. */
export function exposedDefinition(
  list: ListKind,
  server: string,
  item: { readonly key: string; readonly definition: string },
  override: Override = {},
): string {
  const definition: unknown = JSON.parse(item.definition)
  if (!isPlainObject(definition)) return item.definition
  const { _meta } = definition
  return JSON.stringify({
    ...definition,
    ...(isPlainObject(_meta) ? { _meta: exposedMeta(server, _meta) } : {}),
    // A tool's or prompt's name is its key, so an override of it wins over what is made here.
    [list.keyMember]: list.expose(server, item.key),
    ...override,
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
