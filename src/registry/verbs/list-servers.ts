import { type CallContext, parseInput } from '../../core/index.ts'
import { type Actor, requirePermission } from '../../policy/index.ts'
import { ServerListQuery } from '../schemas.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type ServerPage, summaryOf } from '../views.ts'
import { visiblePage } from '../visible-page.ts'

/**
 * The tenant's servers that the actor may list, by path, filtered, a page at a time. Throws
 * `forbidden`, `invalid_params`, `invalid_cursor`.
 */
export function createListServers(deps: Pick<VerbDeps, 'repositories' | 'cursors'>) {
  return async function listServers(
    ctx: CallContext,
    actor: Actor,
    query: unknown,
  ): Promise<ServerPage> {
    requirePermission(actor, 'list_service')
    const { cursor, limit, ...filters } = parseInput(ServerListQuery, query)
    const scope = { list: 'servers', filters } as const
    const start = (await deps.cursors.open(actor, scope, cursor)) ?? ''
    const { tenant } = actor.principal
    const { servers } = deps.repositories
    const { rows, next } = await visiblePage(
      actor,
      (after, count) => servers.page(tenant, filters, after, count),
      start,
      limit,
    )
    return {
      servers: rows.map(summaryOf),
      ...(next !== undefined && { nextCursor: await deps.cursors.seal(ctx, actor, scope, next) }),
    }
  }
}
