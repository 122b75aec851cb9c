import type { CallContext } from '../../core/index.ts'
import { type Actor, canPermission, requirePermission } from '../../policy/index.ts'
import type { ListedServer } from '../rows.ts'
import { parseInput, ServerListQuery } from '../schemas.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type ServerPage, summaryOf } from '../views.ts'

/** Rows per read: enough that a page fills at once unless most rows are hidden. */
const ROWS_PER_READ = 200
/** Reads per page; a page that hides so much ends early, and its cursor goes on. */
const MAX_READS = 10

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

    const visible: ListedServer[] = []
    let after = start
    let isEnd = false
    for (let read = 0; read < MAX_READS && !isEnd && visible.length <= limit; read += 1) {
      const { tenant } = actor.principal
      const rows = await deps.repositories.servers.page(tenant, filters, after, ROWS_PER_READ)
      visible.push(...rows.filter((row) => canPermission(actor, 'list_service', row)))
      after = rows.at(-1)?.path ?? after
      isEnd = rows.length < ROWS_PER_READ
    }

    const servers = visible.slice(0, limit)
    // One more than the page proves that there is a next one; unread rows may hold one.
    const next = visible.length > limit ? servers.at(-1)?.path : isEnd ? undefined : after
    return {
      servers: servers.map(summaryOf),
      ...(next !== undefined && { nextCursor: await deps.cursors.seal(ctx, actor, scope, next) }),
    }
  }
}
