import { GatewayError } from '../../core/index.ts'
import type { UpstreamFacts } from '../../registry/index.ts'
import { takesSubscriptions } from './declared.ts'
import type { Subscriptions } from './subscriptions.ts'

/** What a legacy client asks of a server that has no such subscriptions, since it speaks the modern era. */
export interface Subscribing {
  readonly method: string
  /** Of the client: its stream tells what it holds. */
  readonly session: { readonly key: string }
  readonly upstream: UpstreamFacts
  /** As the client names it. */
  readonly uri: unknown
}

const METHODS: ReadonlySet<string> = new Set(['resources/subscribe', 'resources/unsubscribe'])

/** Whether a request is one of those. */
export function isSubscribing(method: string): boolean {
  return METHODS.has(method)
}

/**
 * Does in the client's session what it asks. Throws `method_not_found` for a server that tells of no
 * resources, `invalid_params`, `session_not_found`.
 */
export async function subscribe(
  subscriptions: Pick<Subscriptions, 'subscribe' | 'unsubscribe'>,
  { method, session, upstream, uri }: Subscribing,
): Promise<void> {
  if (!takesSubscriptions(upstream)) throw new GatewayError('method_not_found', 'Method not found')
  if (typeof uri !== 'string' || uri === '') {
    throw new GatewayError('invalid_params', 'The uri of the resource is missing.')
  }
  if (method === 'resources/subscribe') await subscriptions.subscribe(session, uri)
  else await subscriptions.unsubscribe(session, uri)
}
