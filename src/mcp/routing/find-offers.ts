import { type CallContext, parseInput } from '../../core/index.ts'
import { type Actor, canPermission, requirePermission } from '../../policy/index.ts'
import type { Cursors, OfferKind, Registry } from '../../registry/index.ts'
import { exposedName, exposedUri } from '../shared/naming.ts'
import {
  FindResourcesQuery,
  FindToolsQuery,
  type FoundResource,
  type FoundResources,
  type FoundTool,
  type FoundTools,
} from './discovery-schemas.ts'
import { type OffersOfKey, offerPage } from './offer-pages.ts'
import type { RankedOffer, Route, Router } from './router.ts'
import { routedServer } from './routing-note.ts'

/** Who has a tool or a resource, of the servers that the actor may both list and use. */
export interface FindOffers {
  /** Throws `forbidden`, `insufficient_scope`, `invalid_params`, `invalid_cursor`. */
  findTools(ctx: CallContext, actor: Actor, query: unknown): Promise<FoundTools>
  /** As `findTools`. */
  findResources(ctx: CallContext, actor: Actor, query: unknown): Promise<FoundResources>
}

export interface FindOffersDeps {
  readonly offers: Registry['offers']
  readonly cursors: Cursors
  readonly router: Router
}

interface Search {
  readonly kind: OfferKind
  readonly key: string | undefined
  readonly tag: string | undefined
  readonly text: string | undefined
  readonly cursor: string | undefined
  readonly limit: number
}

type RankedRoute = Extract<Route, { kind: 'ranked' }>

/** Of one name; who needs the rest asks with a tag. */
const MAX_SERVERS = 50
const METHODS = { tool: 'tools/call', resource: 'resources/read' } as const

/** @see FindOffers */
export function createFindOffers({ offers: source, cursors, router }: FindOffersDeps): FindOffers {
  async function find<T>(
    ctx: CallContext,
    actor: Actor,
    search: Search,
    view: (key: string, route: RankedRoute) => T,
  ): Promise<{ readonly items: readonly T[]; readonly nextCursor?: string }> {
    const { kind, key, tag, text, cursor, limit } = search
    const scope = { list: 'offers', filters: { kind, key, tag, text } } as const
    const start = (await cursors.open(actor, scope, cursor)) ?? ''
    const { tenant } = actor.principal
    const wish = tag === undefined ? {} : { tag }

    const show = ({ key: found, offers }: OffersOfKey): T | undefined => {
      const listed = offers.filter((offer) => canPermission(actor, 'list_service', offer))
      const wanted = { kind, key: found }
      const method = METHODS[kind]
      const route = router.choose(ctx, { actor, wanted, method, wish, anyScope: true }, listed)
      return route.kind === 'ranked' ? view(found, route) : undefined
    }
    const lower = text?.toLowerCase()
    const isMeant = (one: string) => lower === undefined || one.toLowerCase().includes(lower)
    if (key !== undefined) {
      const offers = isMeant(key) ? (await source.offers(tenant, { kind, key })).offers : []
      const shown = show({ key, offers })
      return { items: shown === undefined ? [] : [shown] }
    }
    const page = await offerPage(source, { tenant, kind, after: start, limit, isMeant, show })
    return {
      items: page.items,
      ...(page.next !== undefined && {
        nextCursor: await cursors.seal(ctx, actor, scope, page.next),
      }),
    }
  }

  return {
    async findTools(ctx, actor, query) {
      requirePermission(actor, 'list_service')
      const { name, tag, text, cursor, limit } = parseInput(FindToolsQuery, query)
      const search = { kind: 'tool', key: name, tag, text, cursor, limit } as const
      const { items, ...rest } = await find(ctx, actor, search, foundTool)
      return { tools: [...items], ...rest }
    },

    async findResources(ctx, actor, query) {
      requirePermission(actor, 'list_service')
      const { uri, tag, text, cursor, limit } = parseInput(FindResourcesQuery, query)
      const search = { kind: 'resource', key: uri, tag, text, cursor, limit } as const
      const { items, ...rest } = await find(ctx, actor, search, foundResource)
      return { resources: [...items], ...rest }
    },
  }
}

function foundTool(name: string, { ranked, others, definition }: RankedRoute): FoundTool {
  const as = (one: RankedOffer) => ({ ...routedServer(one), as: exposedName(one.server, name) })
  const shown = others.slice(0, MAX_SERVERS)
  return {
    ...{ name, definition },
    servers: ranked.slice(0, MAX_SERVERS).map(as),
    others: shown.map((one) => ({ ...as(one), definition: one.definition })),
    ...moreOf(Math.max(0, ranked.length - MAX_SERVERS) + others.length - shown.length),
  }
}

function foundResource(uri: string, { ranked }: RankedRoute): FoundResource {
  return {
    uri,
    servers: ranked.slice(0, MAX_SERVERS).map((one) => ({
      ...routedServer(one),
      as: exposedUri(one.server, uri),
    })),
    ...moreOf(Math.max(0, ranked.length - MAX_SERVERS)),
  }
}

function moreOf(more: number): { more?: number } {
  return more > 0 ? { more } : {}
}
