import {
  type CallContext,
  type ErrorCode,
  GatewayError,
  isPlainObject,
  toGatewayError,
} from '../../core/index.ts'
import { decide } from '../../policy/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import { crosses } from '../bridge/crossing.ts'
import type { InboundRequest } from '../eras.ts'
import { keepExtensions, TASKS, UI } from '../extensions.ts'
import { rawIdOf, withText } from '../inbound-text.ts'
import { requireLogLevel } from '../log-levels.ts'
import type { Notices } from '../notices/index.ts'
import { isSubscribing, subscribe } from '../notices/subscribe.ts'
import type { OwnTools } from '../own-tools/index.ts'
import { type Admitting, admitOwn, admitTarget } from '../relay/admit-target.ts'
import type { Outgoing } from '../relay/outgoing.ts'
import { isTaskRequest, requireTasks } from '../relay/own-task.ts'
import type { SettleEra } from '../relay/settle-era.ts'
import { sessionRequired } from '../session/session-rules.ts'
import { editObject, remove, within } from '../wire/edit-members.ts'
import { resultReply } from '../wire/reply.ts'
import type { createHello } from './hello-verbs.ts'
import { type FindRequest, type Found, findItem, type Named, namedBy } from './items.ts'
import { LISTS } from './kinds.ts'
import type { ListRequest } from './lists.ts'
import { rewriteRequest } from './rewrite-request.ts'
import type { SharedSessions } from './sessions.ts'
import type { LocalAnswer, SharedRequest } from './shared-request.ts'
import { namesOf } from './translation.ts'

export interface SharedRelayDeps extends Admitting {
  readonly snapshots: Pick<Snapshots, 'confirmed'>
  readonly list: (ctx: CallContext, request: ListRequest) => Promise<string>
  readonly hello: ReturnType<typeof createHello>
  readonly sharedSessions: SharedSessions
  readonly ownTools: OwnTools
  readonly settleEra: SettleEra
  readonly notices: Pick<Notices, 'subscriptions'>
  readonly relayRequest: (ctx: CallContext, outgoing: Outgoing) => Promise<Response>
}

type Answerer = (ctx: CallContext, request: SharedRequest) => Promise<LocalAnswer>

/**
 * Serves one request at an endpoint where several servers meet: what the gateway knows it answers
 * itself, and whatever names a thing of one server goes to that server alone.
 */
export function createSharedRelay(deps: SharedRelayDeps) {
  const legacy: Readonly<Record<string, Answerer>> = {
    initialize: deps.hello.initialize,
    ping: async () => ({ result: '{}' }),
    'logging/setLevel': async (ctx, { session, inbound, snapshot }) => {
      if (!session) throw sessionRequired()
      const level = requireLogLevel(inbound.params)
      await deps.sharedSessions.setLogLevel(ctx, session, snapshot, level)
      return { result: '{}' }
    },
  }
  const modern: Readonly<Record<string, Answerer>> = { 'server/discover': deps.hello.discover }
  const lists: Readonly<Record<string, Answerer>> = Object.fromEntries(
    Object.entries(LISTS).map(([method, list]) => [
      method,
      async (ctx: CallContext, { endpoint, actor, inbound }: SharedRequest) => {
        const { era, params } = inbound
        const cursor = params['cursor']
        return { result: await deps.list(ctx, { actor, endpoint, era, method, list, cursor }) }
      },
    ]),
  )
  const answerers = {
    legacy: new Map(Object.entries({ ...legacy, ...lists })),
    modern: new Map(Object.entries({ ...modern, ...lists })),
  }

  return async function relayShared(ctx: CallContext, request: SharedRequest): Promise<Response> {
    const { inbound, session } = request
    if (inbound.era === 'legacy' && !session && inbound.method !== 'initialize') {
      throw sessionRequired()
    }
    const own = ownCall(deps, request)
    const answerer = answerers[inbound.era].get(inbound.method) ?? own
    if (answerer) {
      const { endpoint, snapshot, actor } = request
      const at = { actor, path: own ? 'mcpgw' : endpoint.path }
      await admitOwn(ctx, deps, snapshot, at, inbound, own && inbound.name)
      const { result, headers } = await answerer(ctx, request)
      return resultReply(result, rawIdOf(inbound), headers)
    }
    const named = namedBy(inbound.method, inbound.params)
    if (!named || isOfOtherEra(inbound, named)) {
      throw new GatewayError('method_not_found', 'Method not found')
    }
    if (isTaskRequest(inbound)) requireTasks(inbound)
    return toServer(deps, ctx, request, named)
  }
}

/**
 * The modern era has subscriptions in `subscriptions/listen`; the tasks of 2025-11-25 belong to a
 * session with one server, and are not carried here.
 */
function isOfOtherEra({ era, method }: InboundRequest, { kind }: Named): boolean {
  return era === 'modern' ? isSubscribing(method) : kind === 'task'
}

/** A tool without a server in its name is the gateway's own. */
function ownCall({ ownTools }: SharedRelayDeps, { endpoint, inbound }: SharedRequest) {
  const { method, params, name = '' } = inbound
  if (method !== 'tools/call' || endpoint.kind === 'virtual' || name.includes('__'))
    return undefined
  return async (ctx: CallContext, { actor }: SharedRequest): Promise<LocalAnswer> => {
    ctx.facts.server = 'mcpgw'
    const result = await ownTools.call(ctx, actor, name, params['arguments'] ?? {})
    if (result['isError'] === true) ctx.facts.outcome = 'tool_error'
    const complete = inbound.era === 'modern' ? { resultType: 'complete', ...result } : result
    return { result: JSON.stringify(complete) }
  }
}

async function toServer(
  deps: SharedRelayDeps,
  ctx: CallContext,
  request: SharedRequest,
  named: Named,
): Promise<Response> {
  const { endpoint, actor, snapshot, inbound, headers, session } = request
  const { era, method } = inbound
  const find = { actor, snapshot, endpoint, era, method, named, settleEra: deps.settleEra }
  const { server, original } = await findNow(deps, ctx, find)
  ctx.facts.server = server.path
  const tool = named.kind === 'tool' ? original : undefined
  await admitTarget(ctx, deps, snapshot, { actor, server }, inbound, tool)
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
  return deps.relayRequest(ctx, {
    inbound: rewriteRequest(carriedHere(request), named, original, leg?.version),
    headers,
    target: { actor, server },
    ...(leg?.session ? { session: leg.session } : {}),
    shared: {
      path: endpoint.path,
      names: namesOf(server.path),
      ...(session ? { session } : {}),
    },
  })
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

/**
 * A name that this isolate does not know may be one that its client was just told of: the registry
 * is asked whether it has changed before that is said.
 */
async function findNow(
  { snapshots }: SharedRelayDeps,
  ctx: CallContext,
  find: FindRequest,
): Promise<Found> {
  try {
    return await findItem(ctx, find)
  } catch (thrown) {
    const { principal } = find.actor
    const isUnknown = UNKNOWN.includes(toGatewayError(thrown).code)
    if (!isUnknown || find.endpoint.kind !== 'all') throw thrown
    const snapshot = await snapshots.confirmed(ctx, principal.tenant)
    if (snapshot.generation === find.snapshot.generation) throw thrown
    const actor = { principal, rights: snapshot.rights(principal) }
    return findItem(ctx, { ...find, actor, snapshot })
  }
}

const UNKNOWN: readonly ErrorCode[] = [
  'unknown_tool',
  'unknown_prompt',
  'unknown_resource',
  'unknown_resource_legacy',
]

function noCompletions(era: 'modern' | 'legacy'): string {
  return JSON.stringify({
    ...(era === 'modern' ? { resultType: 'complete' } : {}),
    completion: { values: [], total: 0, hasMore: false },
  })
}
