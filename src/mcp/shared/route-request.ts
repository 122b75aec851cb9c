import { type CallContext, toGatewayError } from '../../core/index.ts'
import { insufficientScope } from '../../policy/index.ts'
import type { OfferKind, Snapshots } from '../../registry/index.ts'
import { invalidState } from '../relay/request-states.ts'
import type { SettleEra } from '../relay/settle-era.ts'
import type { RankedOffer, Route, Router } from '../routing/router.ts'
import { ROUTING_META_KEY, type RoutingNote, routingNote } from '../routing/routing-note.ts'
import { type RouteWish, retryOf, stateWithServer, withoutWish } from '../routing/wish.ts'
import { MAX_VALUE_CHARS, type Named, unknownItem } from './items.ts'
import type { SharedRequest } from './shared-request.ts'
import type { Chosen, ToServer } from './to-server.ts'

export interface RouteRequestDeps {
  readonly snapshots: Pick<Snapshots, 'confirmed'>
  readonly router: Router
  readonly settleEra: SettleEra
  readonly toServer: ToServer
}

type RankedRoute = Extract<Route, { kind: 'ranked' }>

/** Servers that one call looks at: the next one's breaker is as likely open as that of the one before. */
const MAX_TRIES = 3

/**
 * Sends a request that names a tool or a resource and no server to the best of those that have it,
 * and says in the result which one and why. The next one is tried only while nothing was sent.
 * Throws what `/mcp` throws for a name that nobody has, or nobody that the caller may use.
 */
export function createRouteRequest(deps: RouteRequestDeps) {
  return async function routeRequest(
    ctx: CallContext,
    given: SharedRequest,
    named: Named,
    wish: RouteWish,
  ): Promise<Response> {
    const { request, route } = await routeNow(deps, ctx, given, named, wish)
    ctx.facts.candidates = route.ranked.length
    const retry = retryOf(request.inbound)
    const inbound = withoutWish(retry?.inbound ?? request.inbound)
    if (retry) {
      const before = [...route.ranked, ...route.others].find((one) => one.server === retry.server)
      if (!before) throw invalidState()
      const answer = await tryOne({ ...request, inbound }, before, 'retry')
      if (answer === undefined) throw unknownItem({ era: inbound.era, named })
      return answer
    }
    let refused: unknown = unknownItem({ era: inbound.era, named })
    for (const candidate of route.ranked.slice(0, MAX_TRIES)) {
      const sentBefore = ctx.facts.attempts ?? 0
      try {
        const answer = await tryOne({ ...request, inbound }, candidate)
        if (answer !== undefined) return answer
      } catch (thrown) {
        refused = thrown
        const isUnsent = (ctx.facts.attempts ?? 0) === sentBefore
        if (toGatewayError(thrown).code !== 'upstream_unavailable' || !isUnsent) throw thrown
      }
    }
    throw refused

    /** Undefined for one that has it no longer. */
    async function tryOne(
      { snapshot, ...rest }: SharedRequest,
      candidate: RankedOffer,
      reason?: RoutingNote['reason'],
    ): Promise<Response | undefined> {
      const server = await snapshot.server(ctx, candidate.server)
      if (!server?.enabled) return undefined
      if (named.kind === 'tool' && !server.tools.has(named.value)) return undefined
      const settled = inbound.era === 'modern' ? server : await deps.settleEra(ctx, server)
      const found = { server: settled, original: named.value }
      const chosen = chosenOf(ctx, route, candidate.server, reason)
      return deps.toServer(ctx, { ...rest, snapshot }, named, found, chosen)
    }
  }
}

function chosenOf(
  ctx: CallContext,
  route: RankedRoute,
  server: string,
  reason: RoutingNote['reason'] | undefined,
): Chosen {
  // Written with the answer, when it is known which endpoint gave it.
  const note = () => JSON.stringify(routingNote(route, server, ctx.facts.endpoint, reason))
  return {
    notes: { [ROUTING_META_KEY]: note },
    requestState: (sealed) => stateWithServer(server, sealed),
  }
}

/** As for a prefixed name: before it is called unknown, the registry is asked for changes. */
async function routeNow(
  { snapshots, router }: RouteRequestDeps,
  ctx: CallContext,
  request: SharedRequest,
  named: Named,
  wish: RouteWish,
): Promise<{ readonly request: SharedRequest; readonly route: RankedRoute }> {
  if (named.value === '' || named.value.length > MAX_VALUE_CHARS) {
    throw unknownItem({ era: request.inbound.era, named })
  }
  const kind: OfferKind = named.kind === 'tool' ? 'tool' : 'resource'
  const wanted = { kind, key: named.value }
  const { method } = request.inbound
  const { actor, snapshot } = request
  const route = await router.route(ctx, { actor, snapshot, wanted, method, wish })
  if (route.kind !== 'unknown') return { request, route: requireRanked(route, request, named) }
  const { principal } = actor
  const latest = await snapshots.confirmed(ctx, principal.tenant)
  const now = {
    ...request,
    snapshot: latest,
    actor: { principal, rights: latest.rights(principal) },
  }
  const again =
    latest.generation === snapshot.generation
      ? route
      : await router.route(ctx, { actor: now.actor, snapshot: latest, wanted, method, wish })
  return { request: now, route: requireRanked(again, now, named) }
}

function requireRanked(route: Route, { inbound }: SharedRequest, named: Named): RankedRoute {
  switch (route.kind) {
    case 'ranked':
      return route
    case 'insufficient_scope':
      throw insufficientScope(route.scope)
    case 'unknown':
      throw unknownItem({ era: inbound.era, named })
  }
}
