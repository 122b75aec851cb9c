import type { CallContext } from '../../core/index.ts'
import { takesSubscriptions } from '../notices/declared.ts'
import type { Subscriptions } from '../notices/subscriptions.ts'
import type { SettleEra } from '../relay/settle-era.ts'
import { findItem, namedBy } from './items.ts'
import { speaks } from './lineup.ts'
import { originalUri } from './naming.ts'
import type { SharedRequest } from './shared-request.ts'

export interface SubscribeDeps {
  readonly subscriptions: Subscriptions
  readonly settleEra: SettleEra
}

const METHODS: ReadonlySet<string> = new Set(['resources/subscribe', 'resources/unsubscribe'])

/**
 * Subscribes a legacy client to a resource of a server that has no such subscriptions, since it
 * speaks the modern era alone: the client's session holds it, and its stream tells. False for any
 * other request, which its server answers. Throws what findItem throws, and `session_not_found`.
 */
export function createSubscribe({ subscriptions, settleEra }: SubscribeDeps) {
  return async function subscribe(ctx: CallContext, request: SharedRequest): Promise<boolean> {
    const { endpoint, actor, snapshot, inbound, session } = request
    const { method, params, era } = inbound
    const named = namedBy(method, params)
    if (!session || era !== 'legacy' || !named || !METHODS.has(method)) return false
    const uri = originalUri(named.value)
    const known = uri && (await snapshot.server(ctx, uri.server))
    if (!known || !speaks(known.upstream, 'modern')) return false
    // Asked as a modern client would: who may not know of it makes no request.
    const find = { actor, snapshot, endpoint, method, named, settleEra }
    const found = await findItem(ctx, { ...find, era: 'modern' }).catch(() => undefined)
    if (!found || !takesSubscriptions(found.server.upstream)) return false
    if (speaks((await settleEra(ctx, found.server)).upstream, 'legacy')) return false
    if (method === 'resources/subscribe') await subscriptions.subscribe(session, named.value)
    else await subscriptions.unsubscribe(session, named.value)
    ctx.facts.server = found.server.path
    return true
  }
}
