import { type CallContext, parseInput } from '../../core/index.ts'
import { type Actor, canPermission, toolFilter } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import type { ListedItem } from '../catalog-repository.ts'
import { ToolListQuery } from '../schemas.ts'
import type { VerbDeps } from '../verb-deps.ts'
import type { ToolPage } from '../views.ts'

/** Rows per read: the largest page and one. A server has at most 2,000 tools: 20 reads. */
const ROWS_PER_READ = 101

/**
 * The stored tools of a server: all of them for those who may modify it, otherwise those that
 * `tools/list` shows the actor. Throws `not_found`, `invalid_params`, `invalid_cursor`.
 */
export function createListTools(deps: Pick<VerbDeps, 'repositories' | 'cursors'>) {
  return async function listTools(
    ctx: CallContext,
    actor: Actor,
    path: string,
    query: unknown,
  ): Promise<ToolPage> {
    const server = await authorizeServer(deps.repositories, actor, 'list_service', path)
    const { cursor, limit } = parseInput(ToolListQuery, query)
    const scope = { list: 'tools', filters: { server: server.id } } as const
    const start = await deps.cursors.open(actor, scope, cursor)
    const shows = canPermission(actor, 'modify_service', server) ? 'all' : toolFilter(actor, server)

    const visible: ListedItem[] = []
    let after = start === undefined ? -1 : Number(start)
    let isEnd = false
    while (!isEnd && visible.length <= limit) {
      const rows = await deps.repositories.catalog.page(
        ...([server.tenant, server.id, 'tool', after, ROWS_PER_READ] as const),
      )
      visible.push(...rows.filter((row) => shows === 'all' || shows(row.key)))
      after = rows.at(-1)?.position ?? after
      isEnd = rows.length < ROWS_PER_READ
    }

    const page = visible.slice(0, limit)
    const next = visible.length > limit ? page.at(-1)?.position : undefined
    return {
      tools: page.filter(isServed).map(({ key, definition }) => ({ name: key, definition })),
      excluded: page
        .filter((item) => !isServed(item))
        .map(({ key, problem }) => ({ name: key, reason: problem ?? '' })),
      ...(next !== undefined && {
        nextCursor: await deps.cursors.seal(ctx, actor, scope, String(next)),
      }),
    }
  }
}

function isServed(item: ListedItem): boolean {
  return item.problem === null
}
