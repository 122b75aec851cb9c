import { type CallContext, GatewayError, type Principal, toGatewayError } from '../../core/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import type { Inbound, InboundRequest } from '../eras.ts'
import { arriveAgain } from '../relay/listening.ts'
import { requireTasks } from '../relay/own-task.ts'
import { authorise } from '../relay/target.ts'
import type { TaskIds } from '../relay/task-ids.ts'
import { afterLife } from '../wire/after-life.ts'
import { EVENT_STREAM_HEADERS } from '../wire/event-headers.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import { createEventWriter } from './event-writer.ts'
import type { Feed, OpenFeed } from './feed.ts'
import { wantedOf } from './filter.ts'
import { heldTasks } from './held-tasks.ts'
import { MAX_TASKS_OF_STREAM, MAX_URIS_OF_STREAM } from './interests.ts'
import { acknowledgeEvent, changeEvent, endEvent } from './shown-events.ts'

/** A client that wants to hear of changes at an endpoint. */
export interface ListenRequest {
  readonly principal: Principal
  readonly path: string
  readonly inbound: ListenInbound
}

export type ListenInbound = InboundRequest & { readonly method: 'subscriptions/listen' }

/** Whether a message is such a request. */
export function isListen(inbound: Inbound): inbound is ListenInbound {
  const { kind, era } = inbound
  return kind === 'request' && era === 'modern' && inbound.method === 'subscriptions/listen'
}

/**
 * Answers `subscriptions/listen` for the servers behind an endpoint, whatever era they speak: first
 * what of it is honoured, then each change once (MCP 2026-07-28, subscriptions/listen). It ends with
 * an empty result when the gateway ends it, and without one when its client may hear nothing any
 * more. Throws `invalid_params`, `missing_capability`, `rate_limited`, and what refuses the caller.
 */
export function createListen(deps: {
  readonly openFeed: OpenFeed
  readonly snapshots: Pick<Snapshots, 'tenant'>
  readonly taskIds: TaskIds
  readonly bounds: StreamBounds
}) {
  /** Who is there by the policy of now. At one server the method is asked for as any other. */
  async function arriveNow(ctx: CallContext, { principal, path, inbound }: ListenRequest) {
    const arrival = await arriveAgain(ctx, deps.snapshots, principal, path)
    const { actor, resolved } = arrival
    if (resolved.kind === 'server') authorise({ actor, server: resolved.server }, inbound)
    return arrival
  }

  return async function listen(ctx: CallContext, request: ListenRequest): Promise<Response> {
    const { principal, path, inbound } = request
    const id = inbound.text.slice(inbound.id.start, inbound.id.end)
    const wanted = wantedOf(inbound.params)
    if (wanted.uris.length > MAX_URIS_OF_STREAM) {
      throw new GatewayError(
        'invalid_params',
        `A stream may subscribe to ${MAX_URIS_OF_STREAM} resources.`,
      )
    }
    const ids = wanted.tasks ?? []
    if (ids.length > MAX_TASKS_OF_STREAM) {
      throw new GatewayError('invalid_params', `A stream may tell of ${MAX_TASKS_OF_STREAM} tasks.`)
    }
    if (ids.length > 0) requireTasks(inbound)
    const tasks = await heldTasks(ctx, deps.taskIds, await arriveNow(ctx, request), ids)
    const release = ctx.holdEvent()
    let feed: Feed | undefined
    let stopLife = (): void => undefined
    let stopListening = (): void => undefined
    const writer = createEventWriter(
      (why) => {
        ctx.facts.outcome = why
        feed?.stop()
        stopLife()
        stopListening()
        release()
      },
      { keepsAlive: true, stallMs: deps.bounds.stallMs },
    )
    const close = async (last?: string): Promise<void> => {
      stopLife()
      stopListening()
      await writer.close(last)
      release()
    }
    try {
      feed = await deps.openFeed(ctx, {
        ...{ principal, path, by: 'listen', wanted, tasks },
        arrive: () => arriveNow(ctx, request),
        onChange: (change) => writer.write(changeEvent(change, id)),
        onEnd(end) {
          if (end.kind === 'refused') ctx.facts.outcome = toGatewayError(end.thrown).code
          // Who is refused is told nothing more; the others may listen anew.
          ctx.waitUntil(close(end.kind === 'lost' ? endEvent(id) : undefined))
        },
      })
    } catch (thrown) {
      ctx.waitUntil(close())
      throw thrown
    }
    const opened = feed
    stopLife = afterLife(deps.bounds.maxMs, () => {
      opened.stop()
      ctx.waitUntil(close(endEvent(id)))
    })
    const leave = (): void => {
      ctx.facts.outcome = 'cancelled'
      opened.stop()
      ctx.waitUntil(close())
    }
    if (ctx.caller.signal.aborted) leave()
    else ctx.caller.signal.addEventListener('abort', leave, { once: true })
    stopListening = () => ctx.caller.signal.removeEventListener('abort', leave)
    // Not awaited: it is read when the response is.
    ctx.waitUntil(writer.write(acknowledgeEvent(opened.honoured, id)))
    opened.start()
    return new Response(writer.readable, { headers: EVENT_STREAM_HEADERS })
  }
}
