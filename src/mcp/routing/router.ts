import type { CallContext } from '../../core/index.ts'
import { type Actor, decide } from '../../policy/index.ts'
import type { Offer, TenantSnapshot, WantedOffer } from '../../registry/index.ts'
import type { BreakerPhase, Breakers, Load } from '../../resilience/index.ts'
import { type Candidate, type Ranked, rank } from './score.ts'
import type { RouteWish } from './wish.ts'

/** What is asked for, and by whom. */
export interface RouteRequest {
  readonly actor: Actor
  readonly snapshot: TenantSnapshot
  readonly wanted: WantedOffer
  readonly method: string
  readonly wish: RouteWish
  /** For who only looks: what the groups allow, whatever the token's scopes. */
  readonly anyScope?: true
}

/** Servers that have what is wanted, as far as this caller may know. */
export type Route =
  | {
      readonly kind: 'ranked'
      /** Best first; at least one. */
      readonly ranked: readonly RankedOffer[]
      /** Of them all; empty where nothing is passed, or any will do. */
      readonly definition: string
      /** Those where something else has this name. */
      readonly others: readonly RankedOffer[]
    }
  | { readonly kind: 'insufficient_scope'; readonly scope: string }
  /** Missing, hidden, denied: all alike. */
  | { readonly kind: 'unknown' }

/** A place in the order of all servers, and the definition that its server has. */
export type RankedOffer = Ranked<Candidate & { readonly definition: string }>

/** Chooses among servers by what this isolate knows. */
export interface Router {
  /** Throws `policy_unavailable`. */
  route(ctx: CallContext, request: RouteRequest): Promise<Route>
  /** The same of offers that were read elsewhere. */
  choose(ctx: CallContext, request: Omit<RouteRequest, 'snapshot'>, offers: readonly Offer[]): Route
}

export interface RouterDeps {
  readonly breakers: Pick<Breakers, 'peek'>
  /**
   * What the isolate measured; where it has not, the last health check's latency counts. To rank is
   * to look: a page of names must not have the calls of all their servers told to other isolates.
   */
  readonly load?: Pick<Load, 'peekLatencyMs'>
}

/** @see Router */
export function createRouter({ breakers, load }: RouterDeps): Router {
  function candidateOf(offer: Offer, now: number): Candidate & { readonly definition: string } {
    const phases = offer.endpoints.map(({ id }) => breakers.peek(id, now))
    const usable = offer.endpoints.filter((_, index) => phases[index] !== 'open')
    const latencies = usable.flatMap(({ id, lastLatencyMs }) => {
      return load?.peekLatencyMs(id, now) ?? lastLatencyMs ?? []
    })
    const { path, health, registeredAt, definition } = offer
    return {
      ...{ server: path, health, registeredAt, definition },
      breaker: bestPhase(phases),
      latencyMs: latencies.length > 0 ? mean(latencies) : undefined,
      weight: usable.reduce((sum, { weight }) => sum + weight, 0),
    }
  }

  const choose: Router['choose'] = (ctx, request, offers) => {
    const { actor, wanted, method, wish, anyScope } = request
    const tool = wanted.kind === 'tool' ? wanted.key : undefined
    const wished = offers.filter((offer) => isWished(offer, wish))
    // Before anything else: what a caller may not use has no part in what it is told.
    const decided = wished.map((offer) => ({
      offer,
      decision: decide(actor, offer, method, tool),
    }))
    const allowed = decided.flatMap(({ offer, decision }) =>
      decision.kind === 'allow' || (anyScope && decision.kind === 'insufficient_scope')
        ? [offer]
        : [],
    )
    if (allowed.length === 0) {
      const missing = decided.find(({ decision }) => decision.kind === 'insufficient_scope')
      return missing?.decision.kind === 'insufficient_scope'
        ? missing.decision
        : { kind: 'unknown' }
    }
    const definition = definitionOf(allowed, wish)
    const now = ctx.clock.now()
    const fits = (offer: Offer): boolean =>
      wish.definition === 'any' || offer.definition === definition
    const ranked = rank(
      allowed.filter(fits).map((offer) => candidateOf(offer, now)),
      wish.prefer,
    )
    if (ranked.length === 0) return { kind: 'unknown' }
    const others = allowed.filter((offer) => !fits(offer)).map((offer) => candidateOf(offer, now))
    return {
      kind: 'ranked',
      ranked,
      definition,
      others: rank(others, wish.prefer),
    }
  }

  return {
    choose,
    async route(ctx, request) {
      return choose(ctx, request, await request.snapshot.offers(ctx, request.wanted))
    },
  }
}

function isWished({ path, tags }: Offer, { tag, servers }: RouteWish): boolean {
  return (tag === undefined || tags.includes(tag)) && (!servers || servers.includes(path))
}

/**
 * Arguments are written for one input schema, so servers with another are not candidates. Whose it
 * is, where the caller does not say, the server registered first decides: nobody who comes later can
 * make a name mean something else.
 */
function definitionOf(allowed: readonly Offer[], { definition }: RouteWish): string {
  if (definition !== undefined && definition !== 'any') return definition
  if (definition === 'any') return ''
  const [first] = allowed.toSorted(
    (a, b) => a.registeredAt - b.registeredAt || (a.path < b.path ? -1 : 1),
  )
  return first?.definition ?? ''
}

const PHASES: readonly BreakerPhase[] = ['closed', 'half_open', 'open']

function bestPhase(phases: readonly BreakerPhase[]): BreakerPhase {
  return PHASES.find((phase) => phases.includes(phase)) ?? 'open'
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
