import { type CallContext, isPlainObject } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { EVERYTHING } from './endpoint.ts'
import { LISTS } from './kinds.ts'
import type { ListRequest } from './lists.ts'

/** A page of the tools of `/mcp`, for readers that speak no MCP. */
export interface ToolsPage {
  readonly tools: readonly unknown[]
  readonly nextCursor?: string
}

/** The list of `/mcp` outside of MCP: servers of both eras take part. */
export function createListAllTools(
  list: (ctx: CallContext, request: ListRequest) => Promise<string>,
) {
  const method = 'tools/list'
  const kind = LISTS[method]
  if (!kind) throw new Error('tools can be listed')
  return async (ctx: CallContext, actor: Actor, cursor?: string): Promise<ToolsPage> => {
    const request = { actor, endpoint: EVERYTHING, era: 'any', method, list: kind, cursor } as const
    const result: unknown = JSON.parse(await list(ctx, request))
    if (!isPlainObject(result) || !Array.isArray(result['tools'])) return { tools: [] }
    const { tools, nextCursor } = result
    return { tools, ...(typeof nextCursor === 'string' ? { nextCursor } : {}) }
  }
}
