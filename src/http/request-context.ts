import type { MiddlewareHandler } from 'hono'
import { type CallContext, type Clock, type Random, requestIdFrom } from '../core/index.ts'
import { type Events, emitFault } from '../observability/index.ts'

/** What every route finds in hono's context. */
export interface HttpEnv {
  Variables: { call: CallContext }
}

/** Gives each request its CallContext and writes its event line when the answer has ended. */
export function requestContext(deps: {
  readonly clock: Clock
  readonly random: Random
  readonly events: Events
}): MiddlewareHandler<HttpEnv> {
  const { clock, random, events } = deps
  return async (c, next) => {
    const startedAt = clock.now()
    const requestId = requestIdFrom(c.req.header('x-request-id') ?? null, () => random.uuid())
    let holds = 0
    let isWritten = false
    let status: number | undefined

    const emit = (): void => {
      if (holds > 0 || status === undefined || isWritten) return
      isWritten = true
      events.emit({
        type: 'request',
        requestId,
        httpMethod: c.req.method,
        status,
        durationMs: clock.now() - startedAt,
        outcome: 'ok',
        ...call.facts,
      })
    }
    const call: CallContext = {
      requestId,
      clock,
      random,
      signal: c.req.raw.signal,
      facts: {},
      waitUntil(work) {
        const report = (thrown: unknown) => emitFault(events, { requestId }, 'behind', thrown)
        c.executionCtx.waitUntil(work.catch(report))
      },
      holdEvent() {
        holds += 1
        let isReleased = false
        return () => {
          if (isReleased) return
          isReleased = true
          holds -= 1
          emit()
        }
      },
    }
    c.set('call', call)
    await next()
    c.res.headers.set('x-request-id', requestId)
    c.res.headers.set('x-content-type-options', 'nosniff')
    call.facts.route ??= c.req.routePath
    status = c.res.status
    emit()
  }
}
