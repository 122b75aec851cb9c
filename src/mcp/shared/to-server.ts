import { type CallContext, isPlainObject } from '../../core/index.ts'
import { decide } from '../../policy/index.ts'
import { crosses } from '../bridge/crossing.ts'
import type { InboundRequest } from '../eras.ts'
import { keepExtensions, TASKS, UI } from '../extensions.ts'
import { rawIdOf, withText } from '../inbound-text.ts'
import type { Notices } from '../notices/index.ts'
import { isSubscribing, subscribe } from '../notices/subscribe.ts'
import { type Admitting, admitTarget } from '../relay/admit-target.ts'
import type { Outgoing, SharedLeg } from '../relay/outgoing.ts'
import { editObject, remove, within } from '../wire/edit-members.ts'
import { resultReply } from '../wire/reply.ts'
import type { Found, Named } from './items.ts'
import { rewriteRequest } from './rewrite-request.ts'
import type { SharedSessions } from './sessions.ts'
import type { SharedRequest } from './shared-request.ts'
import { namesOf } from './translation.ts'

export interface ToServerDeps extends Admitting {
  readonly sharedSessions: SharedSessions
  readonly notices: Pick<Notices, 'subscriptions'>
  readonly relayRequest: (ctx: CallContext, outgoing: Outgoing) => Promise<Response>
}

/** What is different for a request whose server was chosen, and whose permits are spent. */
export interface Chosen {
  readonly notes: NonNullable<SharedLeg['notes']>
  readonly requestState: (sealed: string) => string
}

/** Sends a request to the server whose thing it names, and streams the answer back. */
export type ToServer = (
  ctx: CallContext,
  request: SharedRequest,
  named: Named,
  found: Found,
  chosen?: Chosen,
) => Promise<Response>

/** @see ToServer */
export function createToServer(deps: ToServerDeps): ToServer {
  return async function toServer(ctx, request, named, { server, original }, chosen) {
    const { endpoint, actor, snapshot, inbound, headers, session } = request
    const { era, method } = inbound
    ctx.facts.server = server.path
    const tool = named.kind === 'tool' ? original : undefined
    if (!chosen) await admitTarget(ctx, deps, snapshot, { actor, server }, inbound, tool)
    if (
      method === 'completion/complete' &&
      !isPlainObject(server.upstream.capabilities?.['completions'])
    ) {
      // Clients ask for completions of whatever they show; a server without them has none.
      return resultReply(noCompletions(era), rawIdOf(inbound))
    }
    const isBridged = crosses(server.upstream, era)
    if (isBridged && session && isSubscribing(method)) {
      const asked = { method, session, upstream: server.upstream, uri: named.value }
      await subscribe(deps.notices.subscriptions, asked)
      return resultReply('{}', rawIdOf(inbound))
    }
    const leg =
      session && !isBridged ? await deps.sharedSessions.leg(ctx, session, server) : undefined
    const names = namesOf(server.path)
    return deps.relayRequest(ctx, {
      inbound: rewriteRequest(carriedHere(request), named, original, leg?.version),
      headers,
      target: { actor, server },
      ...(leg?.session ? { session: leg.session } : {}),
      shared: {
        path: endpoint.path,
        names: chosen ? { ...names, requestState: chosen.requestState } : names,
        ...(chosen ? { notes: chosen.notes } : {}),
        ...(session ? { session } : {}),
      },
    })
  }
}

/** Without what a client declares or asks for and several servers at one endpoint cannot have. */
function carriedHere({ endpoint, actor, inbound }: SharedRequest): InboundRequest {
  if (inbound.era === 'modern') {
    const hasTasks =
      endpoint.kind !== 'virtual' || decide(actor, endpoint.virtual, 'tasks/get').kind === 'allow'
    return keepExtensions(inbound, (name) => name === UI || (name === TASKS && hasTasks))
  }
  if (inbound.params['task'] === undefined) return inbound
  const { task: _, ...params } = inbound.params
  const text = editObject(inbound.text, { params: within({ task: remove }) })
  return { ...withText(inbound, text), params }
}

function noCompletions(era: 'modern' | 'legacy'): string {
  return JSON.stringify({
    ...(era === 'modern' ? { resultType: 'complete' } : {}),
    completion: { values: [], total: 0, hasMore: false },
  })
}
