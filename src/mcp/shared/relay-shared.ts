import { type CallContext, type ErrorCode, GatewayError, toGatewayError } from '../../core/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import type { InboundRequest } from '../eras.ts'
import { rawIdOf } from '../inbound-text.ts'
import { requireLogLevel } from '../log-levels.ts'
import { isSubscribing } from '../notices/subscribe.ts'
import type { OwnTools } from '../own-tools/index.ts'
import { type Admitting, admitOwn } from '../relay/admit-target.ts'
import { isTaskRequest, requireTasks } from '../relay/own-task.ts'
import type { SettleEra } from '../relay/settle-era.ts'
import { wishOf } from '../routing/wish.ts'
import { sessionRequired } from '../session/session-rules.ts'
import { resultReply } from '../wire/reply.ts'
import { fleetCall, fleetNamed } from './fleet-call.ts'
import type { createHello } from './hello-verbs.ts'
import { type FindRequest, type Found, findItem, type Named, namedBy } from './items.ts'
import { LISTS } from './kinds.ts'
import type { ListRequest } from './lists.ts'
import type { createRouteRequest } from './route-request.ts'
import type { SharedSessions } from './sessions.ts'
import type { LocalAnswer, SharedRequest } from './shared-request.ts'
import type { ToServer } from './to-server.ts'

export interface SharedRelayDeps extends Admitting {
  readonly snapshots: Pick<Snapshots, 'confirmed'>
  readonly list: (ctx: CallContext, request: ListRequest) => Promise<string>
  readonly hello: ReturnType<typeof createHello>
  readonly sharedSessions: SharedSessions
  readonly ownTools: OwnTools
  readonly settleEra: SettleEra
  readonly toServer: ToServer
  readonly routeRequest: ReturnType<typeof createRouteRequest>
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
    const wish = request.endpoint.kind === 'all' ? wishOf(inbound) : undefined
    const own = wish ? undefined : ownCall(deps, request)
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
    return wish ? deps.routeRequest(ctx, request, named, wish) : toNamed(deps, ctx, request, named)
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

async function toNamed(
  deps: SharedRelayDeps,
  ctx: CallContext,
  request: SharedRequest,
  named: Named,
): Promise<Response> {
  const { endpoint, actor, snapshot, inbound } = request
  const { era, method } = inbound
  const find = { actor, snapshot, endpoint, era, method, named, settleEra: deps.settleEra }
  const fleet = fleetNamed(endpoint, named)
  if (fleet) {
    const call = await fleetCall(ctx, find, fleet, inbound)
    return call.kind === 'answer'
      ? resultReply(call.answer.result, rawIdOf(inbound))
      : deps.toServer(ctx, { ...request, inbound: call.inbound }, named, call.found)
  }
  const found = await findNow(deps, ctx, find)
  return deps.toServer(ctx, request, named, found)
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
