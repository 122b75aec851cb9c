import { type CallContext, toGatewayError } from '../../core/index.ts'
import { limitRefusal } from '../../limits/index.ts'
import { insufficientScope } from '../../policy/index.ts'
import type { OfferKind, Snapshots } from '../../registry/index.ts'
import { type Admitting, limitTargetOf } from '../relay/admit-target.ts'
import { invalidState } from '../relay/request-states.ts'
import type { SettleEra } from '../relay/settle-era.ts'
import type { RankedOffer, Route, Router } from '../routing/router.ts'
import { ROUTING_META_KEY, type RoutingNote, routingNote } from '../routing/routing-note.ts'
import { type RouteWish, retryOf, stateWithServer, withoutWish } from '../routing/wish.ts'
import { admitCandidate, type CandidateAdmission } from './admit-candidate.ts'
import { MAX_VALUE_CHARS, type Named, unknownItem } from './items.ts'
import type { SharedRequest } from './shared-request.ts'
import type { Chosen, ToServer } from './to-server.ts'

export interface RouteRequestDeps extends Admitting {
  readonly snapshots: Pick<Snapshots, 'confirmed'>
  readonly router: Router
  readonly settleEra: SettleEra
  readonly toServer: ToServer
}

type RankedRoute = Extract<Route, { kind: 'ranked' }>

/** Servers that refuse one call: the next one's breaker is as likely open as that of the one before. */
const MAX_TRIES = 3
/** Servers that one call asks the limits about, each of which may cost a question to their object. */
const MAX_LOOKED_AT = 20

/** What became of a call at one of those that could take it. */
type Tried =
  | { readonly kind: 'answered'; readonly response: Response }
  /** It has it no longer. */
  | { readonly kind: 'gone' }
  | Extract<CandidateAdmission, { kind: 'limited' }>
  /** It took no call, and nothing was sent or spent. */
  | { readonly kind: 'unsent'; readonly thrown: unknown }

/**
 * Sends a request that names a tool or a resource and no server to the best of those that have it,
 * and says in the result which one and why. The next one is tried only while nothing was sent, and
 * then nothing is spent on the one before: a call costs one permit of a rule, whoever answers it.
 * Throws what `/mcp` throws for a name that nobody has, or nobody that the caller may use.
 */
export function createRouteRequest(deps: RouteRequestDeps) {
  return async function routeRequest(
    ctx: CallContext,
    given: SharedRequest,
    named: Named,
    wish: RouteWish,
  ): Promise<Response> {
    const { request: found, route } = await routeNow(deps, ctx, given, named, wish)
    ctx.facts.candidates = route.ranked.length
    const retry = retryOf(found.inbound)
    const inbound = withoutWish(retry?.inbound ?? found.inbound)
    const request = { ...found, inbound }
    const unknown = { era: inbound.era, named }
    if (retry) {
      const before = [...route.ranked, ...route.others].find((one) => one.server === retry.server)
      if (!before) throw invalidState()
      const tried = await tryOne(before, 'retry')
      if (tried.kind === 'answered') return tried.response
      throw refusalOf(tried) ?? unknownItem(unknown)
    }
    let limited: Tried | undefined
    let unsent: Tried | undefined
    let tries = 0
    for (const candidate of worthTrying(route)) {
      const tried = await tryOne(candidate)
      switch (tried.kind) {
        case 'answered':
          return tried.response
        case 'gone':
          continue
        case 'limited':
          // Any other rule refuses the next one as well.
          if (!tried.limited.isOfServer) throw refusalOf(tried)
          limited ??= tried
          continue
        case 'unsent':
          unsent = tried
          tries += 1
      }
      if (tries === MAX_TRIES) break
    }
    throw refusalOf(unsent ?? limited) ?? unknownItem(unknown)

    async function tryOne(candidate: RankedOffer, reason?: RoutingNote['reason']): Promise<Tried> {
      const server = await request.snapshot.server(ctx, candidate.server)
      if (!server?.enabled) return { kind: 'gone' }
      ctx.facts.server = server.path
      const tool = named.kind === 'tool' ? named.value : undefined
      if (tool !== undefined && !server.tools.has(tool)) return { kind: 'gone' }
      const target = limitTargetOf(server, inbound, tool)
      const admission = await admitCandidate(ctx, deps, request, target)
      if (admission.kind === 'limited') return admission
      const sentBefore = ctx.facts.attempts ?? 0
      try {
        const settled = inbound.era === 'modern' ? server : await deps.settleEra(ctx, server)
        const to = { server: settled, original: named.value }
        const chosen = chosenOf(ctx, route, candidate.server, reason)
        return {
          kind: 'answered',
          response: await deps.toServer(ctx, request, named, to, chosen),
        }
      } catch (thrown) {
        const isUnsent = (ctx.facts.attempts ?? 0) === sentBefore
        if (toGatewayError(thrown).code !== 'upstream_unavailable' || !isUnsent) throw thrown
        admission.handBack()
        return { kind: 'unsent', thrown }
      }
    }
  }
}

/** An open breaker takes no call; where all are open, the best says for how long. */
function worthTrying({ ranked }: RankedRoute): readonly RankedOffer[] {
  const usable = ranked.filter(({ breaker }) => breaker !== 'open')
  return usable.length > 0 ? usable.slice(0, MAX_LOOKED_AT) : ranked.slice(0, 1)
}

/** Undefined for what refuses nobody. */
function refusalOf(tried: Tried | undefined): unknown {
  if (tried?.kind === 'unsent') return tried.thrown
  if (tried?.kind !== 'limited') return undefined
  tried.tell()
  return limitRefusal(tried.limited)
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
