import { type CallContext, GatewayError, invalidInput } from '../../core/index.ts'
import { type Actor, insufficientScope } from '../../policy/index.ts'
import type { Snapshots, WantedOffer } from '../../registry/index.ts'
import type { Route, Router } from './router.ts'
import { type RoutingNote, routingNote } from './routing-note.ts'
import type { RouteWish } from './wish.ts'

/** A request whose sender leaves the server to us. */
export interface Unaddressed {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  readonly wish: RouteWish
}

/** The server chosen for a request, and what to say of it. */
export interface FoundServer {
  readonly path: string
  note(endpoint: string | undefined): RoutingNote
}

export type FindServer = (
  ctx: CallContext,
  actor: Actor,
  request: Unaddressed,
) => Promise<FoundServer>

/**
 * Finds the best server for a request: of those that have the tool or resource that it names, or, for
 * one that names none, of those with the tag. Throws `invalid_params` where neither is said,
 * `not_found` alike for what is missing and what is hidden, `insufficient_scope`.
 */
export function createFindServer(deps: {
  readonly snapshots: Pick<Snapshots, 'tenant'>
  readonly router: Router
}): FindServer {
  return async function findServer(ctx, actor, { method, params, wish }) {
    const wanted = wantedBy(method, params, wish)
    const snapshot = await deps.snapshots.tenant(ctx, actor.principal.tenant)
    const route = requireRanked(
      await deps.router.route(ctx, { actor, snapshot, wanted, method, wish }),
      wanted,
      wish,
    )
    const path = route.ranked[0]?.server ?? ''
    ctx.facts.candidates = route.ranked.length
    return { path, note: (endpoint) => routingNote(route, path, endpoint) }
  }
}

/** A longer one is none that the catalogue keeps. */
const MAX_KEY_CHARS = 2_048

function wantedBy(
  method: string,
  { name, uri }: Readonly<Record<string, unknown>>,
  { tag }: RouteWish,
): WantedOffer {
  const key = method === 'tools/call' ? name : method === 'resources/read' ? uri : undefined
  if (typeof key === 'string' && key !== '' && key.length <= MAX_KEY_CHARS) {
    return { kind: method === 'tools/call' ? 'tool' : 'resource', key }
  }
  if (key === undefined && tag !== undefined) return { kind: 'tag', key: tag }
  throw invalidInput([
    {
      path: 'server',
      message: 'must be given, or params.name of a tool, params.uri of a resource, or route.tag',
    },
  ])
}

function requireRanked(
  route: Route,
  wanted: WantedOffer,
  wish: RouteWish,
): Extract<Route, { kind: 'ranked' }> {
  switch (route.kind) {
    case 'ranked':
      return route
    case 'insufficient_scope':
      throw insufficientScope(route.scope)
    case 'unknown': {
      const what = `${wanted.kind} ${JSON.stringify(wanted.key.slice(0, 128))}`
      const message = `There is no server that has the ${what}${wishText(wanted, wish)}.`
      throw new GatewayError('not_found', message)
    }
  }
}

/** What else was asked for: without it there may be one. */
function wishText({ kind }: WantedOffer, { tag, servers, definition }: RouteWish): string {
  const hasTag = tag !== undefined && kind !== 'tag' ? ` and the tag ${JSON.stringify(tag)}` : ''
  const isDefined = definition !== undefined && definition !== 'any' ? ' in that definition' : ''
  return `${isDefined}${hasTag}${servers ? ', among those that route.servers names' : ''}`
}
