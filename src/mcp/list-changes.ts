import { z } from 'zod'

/** Lists that a server may say have changed; `resources` are their templates as well. */
export const ListName = z.enum(['tools', 'prompts', 'resources'])
export type ListName = z.infer<typeof ListName>

/** How a change of each list is told (MCP 2025-11-25 and 2026-07-28). */
export const LIST_CHANGED: Readonly<Record<ListName, string>> = {
  tools: 'notifications/tools/list_changed',
  prompts: 'notifications/prompts/list_changed',
  resources: 'notifications/resources/list_changed',
}

/** The list that a method says has changed; undefined for any other method. */
export function listOf(method: unknown): ListName | undefined {
  return ListName.options.find((list) => LIST_CHANGED[list] === method)
}
