import { SERVER_INFO_META_KEY } from '@modelcontextprotocol/server'
import type { CallContext } from '../../core/index.ts'
import type { Events } from '../../observability/index.ts'
import { insufficientScope } from '../../policy/index.ts'
import { GATEWAY_INFO } from '../messages.ts'
import type { OwnTools } from '../own-tools/index.ts'
import type { Cursors } from './cursors.ts'
import type { FreshLineup } from './fresh-lineup.ts'
import type { Lineup, LineupRequest, Unavailable } from './lineup.ts'
import type { Page, Pages, Position } from './pages.ts'

export interface ListRequest extends LineupRequest {
  /** As the client sent it. */
  readonly cursor: unknown
}

export interface ListsDeps {
  readonly freshLineup: (ctx: CallContext, request: LineupRequest) => Promise<FreshLineup>
  readonly pages: Pages
  readonly cursors: Cursors
  readonly ownTools: OwnTools
  readonly events: Events
}

/** Names the servers whose part is missing, in `_meta` of a list. */
const UNAVAILABLE_META_KEY = 'dev.gatehouse/unavailable'
/** The gateway's own tools follow the policy, which may change at any time. */
const OWN_TTL_MS = 30_000

/**
 * Answers a list of a shared endpoint: the result as JSON. What some servers cannot give is left
 * out and named in `_meta`; the rest is given (DESIGN.md, Decision 6). Throws `invalid_cursor`,
 * `insufficient_scope`.
 */
export function createLists(deps: ListsDeps) {
  return async function list(ctx: CallContext, request: ListRequest): Promise<string> {
    const { actor, endpoint, method } = request
    const cursorOf = { principal: actor.principal, path: endpoint.path, method }
    const from = await deps.cursors.open(cursorOf, request.cursor)
    const { generation, lineup } = await deps.freshLineup(ctx, request)
    const own = from === undefined ? ownItems(deps.ownTools, request) : []
    if (lineup.missingScope !== undefined && own.length === 0) {
      throw insufficientScope(lineup.missingScope)
    }
    const page = await deps.pages.page(ctx, pageRequest(request, generation, lineup, from))
    if (from === undefined) report(deps.events, ctx, request, lineup.unavailable)
    const items = [...own, ...(page.count > 0 ? [page.items] : [])].join()
    return render(request, lineup, own.length > 0, items, await nextCursor(deps, cursorOf, page))
  }
}

/** The gateway's own tools stand first; they have no server in their names. */
function ownItems(ownTools: OwnTools, { actor, endpoint, method }: ListRequest): string[] {
  if (endpoint.kind === 'virtual' || method !== 'tools/list') return []
  return ownTools.list(actor).map((tool) => JSON.stringify(tool))
}

function pageRequest(
  { actor, endpoint, era, list }: ListRequest,
  generation: number,
  lineup: Lineup,
  from: Position | undefined,
) {
  const { tenant } = actor.principal
  return {
    tenant,
    generation,
    policyDigest: actor.rights.digest,
    path: endpoint.path,
    era,
    list,
    lineup,
    from,
  }
}

async function nextCursor(
  { cursors }: ListsDeps,
  of: Parameters<Cursors['seal']>[0],
  { next }: Page,
): Promise<string | undefined> {
  return next && cursors.seal(of, next)
}

function render(
  { era, list }: ListRequest,
  lineup: Lineup,
  hasOwn: boolean,
  items: string,
  cursor: string | undefined,
): string {
  const meta = {
    ...(era === 'modern' ? { [SERVER_INFO_META_KEY]: GATEWAY_INFO } : {}),
    ...(lineup.unavailable.length > 0 ? { [UNAVAILABLE_META_KEY]: lineup.unavailable } : {}),
  }
  const modern =
    era === 'modern'
      ? { resultType: 'complete', ttlMs: ttlOf(lineup, hasOwn), cacheScope: 'private' }
      : {}
  const rest = JSON.stringify({
    ...modern,
    ...(cursor === undefined ? {} : { nextCursor: cursor }),
    ...(Object.keys(meta).length > 0 ? { _meta: meta } : {}),
  })
  const tail = rest === '{}' ? '}' : `,${rest.slice(1)}`
  return `{"${list.member}":[${items}]${tail}`
}

const TRANSIENT: ReadonlySet<Unavailable['reason']> = new Set(['not_reached', 'unhealthy'])

/** The smallest of those who take part; a server that says nothing may change at once. */
function ttlOf({ sections, unavailable }: Lineup, hasOwn: boolean): number {
  // What is missing now may be there at the next look.
  if (unavailable.some(({ reason }) => TRANSIENT.has(reason))) return 0
  const ttls = sections.map(({ server }) => server.upstream.ttlMs ?? 0)
  return Math.min(...ttls, ...(hasOwn || ttls.length === 0 ? [OWN_TTL_MS] : []))
}

function report(
  events: Events,
  { requestId }: CallContext,
  { actor, endpoint, method }: ListRequest,
  unavailable: readonly Unavailable[],
): void {
  if (unavailable.length === 0) return
  const servers = unavailable.slice(0, 20).map(({ server, reason }) => `${server}: ${reason}`)
  const { tenant } = actor.principal
  const count = unavailable.length
  const { path } = endpoint
  events.emit({
    type: 'list_incomplete',
    requestId,
    tenant,
    endpoint: path,
    method,
    count,
    servers,
  })
}
