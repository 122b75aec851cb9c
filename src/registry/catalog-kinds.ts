import { z } from 'zod'

/** What a server may offer. */
export const CatalogKind = z.enum(['tool', 'resource', 'template', 'prompt'])
export type CatalogKind = z.infer<typeof CatalogKind>

/** How MCP lists the things of one kind. */
export interface CatalogList {
  readonly method: string
  /** Of the list's result, where the items are; and of what is counted here. */
  readonly member: 'tools' | 'resources' | 'resourceTemplates' | 'prompts'
  /** Of an item, what names it. */
  readonly keyMember: 'name' | 'uri' | 'uriTemplate'
  /** That a server declares for it. */
  readonly capability: 'tools' | 'resources' | 'prompts'
}

/** The lists of MCP, by what they list (MCP 2026-07-28, Server Features). */
export const CATALOG_LISTS = {
  tool: { method: 'tools/list', member: 'tools', keyMember: 'name', capability: 'tools' },
  resource: {
    method: 'resources/list',
    member: 'resources',
    keyMember: 'uri',
    capability: 'resources',
  },
  template: {
    method: 'resources/templates/list',
    member: 'resourceTemplates',
    keyMember: 'uriTemplate',
    capability: 'resources',
  },
  prompt: { method: 'prompts/list', member: 'prompts', keyMember: 'name', capability: 'prompts' },
} as const satisfies Readonly<Record<CatalogKind, CatalogList>>
