import { type CallContext, parseInput } from '../../core/index.ts'
import { type Actor, requirePermission } from '../../policy/index.ts'
import { PageQuery } from '../schemas.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type VirtualServerPage, virtualSummaryOf } from '../virtual/virtual-views.ts'
import { visiblePage } from '../visible-page.ts'

/**
 * The tenant's virtual servers that the actor may list, by path, a page at a time. Throws
 * `forbidden`, `invalid_params`, `invalid_cursor`.
 */
export function createListVirtualServers(deps: Pick<VerbDeps, 'repositories' | 'cursors'>) {
  return async function listVirtualServers(
    ctx: CallContext,
    actor: Actor,
    query: unknown,
  ): Promise<VirtualServerPage> {
    requirePermission(actor, 'list_service')
    const { cursor, limit } = parseInput(PageQuery, query)
    const scope = { list: 'virtual-servers', filters: {} } as const
    const start = (await deps.cursors.open(actor, scope, cursor)) ?? ''
    const { tenant } = actor.principal
    const { virtuals } = deps.repositories
    const { rows, next } = await visiblePage(
      actor,
      (after, count) => virtuals.page(tenant, after, count),
      start,
      limit,
    )
    return {
      virtualServers: rows.map(virtualSummaryOf),
      ...(next !== undefined && { nextCursor: await deps.cursors.seal(ctx, actor, scope, next) }),
    }
  }
}
