import {
  type CallContext,
  isPlainObject,
  type MaybePromise,
  toGatewayError,
} from '../../core/index.ts'
import { toolFilter } from '../../policy/index.ts'
import { answer } from '../answer/answer.ts'
import type { AnswerPlan } from '../answer/answer-rules.ts'
import type { BridgedAnswer } from '../bridge/ask-legacy.ts'
import type { ModernAnswer } from '../bridge/ask-modern.ts'
import { crosses } from '../bridge/crossing.ts'
import type { Bridge } from '../bridge/index.ts'
import { taskOnly } from '../bridge/task-only.ts'
import { rawIdOf } from '../inbound-text.ts'
import { idScope } from '../session/id-scope.ts'
import { type InFlight, type Running, runningUntold } from '../session/in-flight.ts'
import { type NewSession, newSession } from '../session/new-session.ts'
import { hearQuestions } from '../session/questions.ts'
import type { Sessions } from '../session/sessions.ts'
import type { UpstreamAnswer, Upstreams } from '../upstream/send.ts'
import { EVENT_STREAM_HEADERS } from '../wire/event-headers.ts'
import { checkParamHeaders } from '../wire/param-headers.ts'
import type { StreamEnd } from '../wire/pump.ts'
import type { RawId } from '../wire/reply.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import { buildCall, headerParams } from './build-call.ts'
import { type CancelLateDeps, createCancelLate } from './cancel-late.ts'
import { endOfCall } from './end-of-call.ts'
import type { OpenCalls } from './open-calls.ts'
import type { Outgoing } from './outgoing.ts'
import { withOwnTask } from './own-task.ts'
import type { RequestStates } from './request-states.ts'
import { type SealAnswerDeps, sealersOf, stateOf } from './seal-answer.ts'
import { sendInSession } from './send-in-session.ts'

export interface RequestRelayDeps extends SealAnswerDeps, CancelLateDeps {
  readonly upstreams: Upstreams
  readonly sessions: Sessions
  readonly inFlight: InFlight
  readonly bridge: Pick<Bridge, 'ask'>
  readonly bounds: StreamBounds
  readonly openCalls: OpenCalls
}

/** The ids of one request, raw JSON: the client's, and ours towards the upstream. */
interface Ids {
  readonly clientId: RawId
  readonly upstreamId: RawId
}

type Answered = UpstreamAnswer | BridgedAnswer | ModernAnswer

/** Sends one request and streams its answer back. */
export function createRequestRelay(deps: RequestRelayDeps) {
  const cancelLate = createCancelLate(deps)
  return async function relayRequest(ctx: CallContext, given: Outgoing): Promise<Response> {
    const owning = withOwnTask(deps.taskIds, given)
    const outgoing = owning instanceof Promise ? await owning : owning
    const { inbound, target } = outgoing
    const ids = { clientId: rawIdOf(inbound), upstreamId: `"${ctx.random.uuid()}"` }
    if (inbound.era === 'modern') {
      checkParamHeaders(outgoing.headers, headerParams(outgoing), inbound.params['arguments'])
    }
    const unsealing = openedState(deps.requestStates, outgoing)
    const state = unsealing && (await unsealing)
    const server = target.server.id
    const left = deps.openCalls.enter(target.actor.principal, ctx.clock.now())
    // By a message: a client of 2026-07-28 leaves instead.
    const isCancellable = inbound.era === 'legacy'
    const running = isCancellable
      ? deps.inFlight.add(ctx, { ...idScope(outgoing), ...ids, server }, left)
      : runningUntold(left)
    let answered: Answered
    try {
      answered = await send(ctx, outgoing, ids.upstreamId, state, running)
    } catch (thrown) {
      // Whose client left may have reached its server, and a cancel may follow.
      if (ctx.caller.signal.aborted) running.suspend()
      else running.forget()
      if (toGatewayError(thrown).code === 'upstream_timeout') {
        cancelLate(ctx, outgoing, ids.upstreamId)
      }
      throw thrown
    }
    if (answered.kind === 'cancelled') {
      running.forget()
      ctx.facts.outcome = 'cancelled'
      return noEvents()
    }
    const opened = newSession(ctx, deps, outgoing, answered)
    const onEnd = endOfCall(ctx, deps.upstreams, answered, running)
    const heard = hearQuestions(ctx, deps.inFlight, outgoing, ids.upstreamId)
    try {
      return await handBack(ctx, heard.outgoing, ids, answered, opened, (end) => {
        // A stream that breaks has not given its answer.
        if (end === 'broken' || end === 'bounded') opened.abandon()
        if (end !== 'suspended') heard.forget()
        if ('onEnd' in answered) answered.onEnd(end)
        else if (answered.lateAfterMs?.()) cancelLate(ctx, outgoing, ids.upstreamId)
        onEnd(end)
      })
    } catch (thrown) {
      opened.abandon()
      // It was no answer at all, and said so by itself: its endpoint is alive.
      onEnd('complete')
      throw thrown
    }
  }

  function send(
    ctx: CallContext,
    outgoing: Outgoing,
    upstreamId: RawId,
    state: string | undefined,
    running: Running,
  ): Promise<Answered> {
    if (crosses(outgoing.target.server.upstream, outgoing.inbound.era)) {
      const given = state === undefined ? {} : { state }
      return deps.bridge.ask(ctx, { outgoing, upstreamId, ...given })
    }
    const build = buildCall(outgoing, upstreamId, { state, keepsDeadline: true })
    return sendInSession(ctx, deps, outgoing, build, running)
  }

  function handBack(
    ctx: CallContext,
    outgoing: Outgoing,
    ids: Ids,
    answered: Exclude<Answered, { kind: 'cancelled' }>,
    opened: NewSession,
    onEnd: (end: StreamEnd) => void,
  ): MaybePromise<Response> {
    const { inbound, target, shared } = outgoing
    const { server, actor } = target
    const { response } = answered
    const sealers = sealersOf(deps, outgoing, ids)
    // Each member by its name: what is spread is laid out anew, member by member.
    const plan: AnswerPlan = {
      inbound,
      clientId: ids.clientId,
      upstreamId: ids.upstreamId,
      server: server.path,
      timeoutMs: server.timeoutMs,
      bounds: deps.bounds,
      showsTool: inbound.method === 'tools/list' ? toolFilter(actor, server) : 'all',
      showsProgress: progressFilter(inbound.params),
      names: shared?.names,
      notes: shared?.notes,
      error: shared && isLegacyCall(inbound) ? taskOnly : undefined,
      sealEventId: sealers.sealEventId,
      sealState: sealers.sealState,
      task: sealers.task,
      takesPriming: sealers.takesPriming,
      bodyDeadline: answered.bodyDeadline,
      isBridged: 'isBridged' in answered ? answered.isBridged : undefined,
      isCancelled: 'isCancelled' in answered ? answered.isCancelled : undefined,
      lateAfterMs: answered.lateAfterMs,
      lostBecause: 'lostBecause' in answered ? answered.lostBecause : undefined,
      onEnd,
    }
    const sealing = opened.headers()?.catch(async (thrown: unknown) => {
      await response.body?.cancel().catch(() => undefined)
      throw thrown
    })
    return sealing
      ? sealing.then((headers) => answer(ctx, { ...plan, headers }, response))
      : answer(ctx, plan, response)
  }
}

function isLegacyCall({ method, era }: Outgoing['inbound']): boolean {
  return method === 'tools/call' && era === 'legacy'
}

/** Progress is told to who asked for it, under the token he gave (MCP, Progress). */
function progressFilter(params: Outgoing['inbound']['params']): (token: unknown) => boolean {
  const meta = params['_meta']
  const own = isPlainObject(meta) ? meta['progressToken'] : undefined
  const isToken = typeof own === 'string' || typeof own === 'number'
  return (token) => isToken && token === own
}

/** The state of a multi round-trip request as its server gave it. Throws `invalid_params`. */
function openedState(states: RequestStates, outgoing: Outgoing): Promise<string> | undefined {
  const { era, params } = outgoing.inbound
  const sealed = era === 'modern' ? params['requestState'] : undefined
  return sealed === undefined ? undefined : states.open(stateOf(outgoing), sealed)
}

/** For a request whose client has cancelled it: it gets no response (MCP 2025-11-25, Cancellation). */
function noEvents(): Response {
  return new Response('', {
    headers: EVENT_STREAM_HEADERS,
  })
}
