import { type CallContext, parseInput } from '../../core/index.ts'
import { type Actor, canPermission, requirePermission } from '../../policy/index.ts'
import { PageQuery } from '../schemas.ts'
import { type ServicePage, serviceOf } from '../services/service-views.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { visiblePage } from '../visible-page.ts'

/**
 * The servers that the actor may list, in the words of a service list. Throws `forbidden`,
 * `invalid_params`, `invalid_cursor`.
 */
export function createListServices(deps: Pick<VerbDeps, 'repositories' | 'cursors'>) {
  return async function listServices(
    ctx: CallContext,
    actor: Actor,
    query: unknown,
  ): Promise<ServicePage> {
    requirePermission(actor, 'list_service')
    const { cursor, limit } = parseInput(PageQuery, query)
    const scope = { list: 'services', filters: {} } as const
    const start = (await deps.cursors.open(actor, scope, cursor)) ?? ''
    const { tenant } = actor.principal
    const { servers } = deps.repositories
    const { rows, next } = await visiblePage(
      actor,
      (after, count) => servers.page(tenant, {}, after, count),
      start,
      limit,
    )
    const own = rows.filter((row) => canPermission(actor, 'modify_service', row))
    const addresses = await servers.firstAddresses(
      tenant,
      own.map(({ id }) => id),
    )
    return {
      services: rows.map((row) => serviceOf(actor, row, addresses.get(row.id))),
      count: rows.length,
      ...(next !== undefined && { nextCursor: await deps.cursors.seal(ctx, actor, scope, next) }),
    }
  }
}
