import type { MiddlewareHandler } from 'hono'
import { type CallContext, type Clock, type Random, requestIdFrom } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import { createEventLine } from './event-line.ts'

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
  return async (c, next) => {
    const requestId = requestIdFrom(c.req.header('x-request-id') ?? null, () => deps.random.uuid())
    const { call, answered } = createEventLine(deps, {
      requestId,
      httpMethod: c.req.method,
      signal: c.req.raw.signal,
      waitUntil: (work) => c.executionCtx.waitUntil(work),
    })
    c.set('call', call)
    await next()
    c.res.headers.set('x-request-id', requestId)
    c.res.headers.set('x-content-type-options', 'nosniff')
    const { policy, state } = call.rateLimit ?? {}
    if (policy !== undefined && state !== undefined) {
      c.res.headers.set('ratelimit-policy', policy)
      c.res.headers.set('ratelimit', state)
    }
    call.facts.route ??= c.req.routePath
    answered(c.res.status)
  }
}
