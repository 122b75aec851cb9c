import type { MiddlewareHandler } from 'hono'
import type { CallContext } from '../core/index.ts'

/** What every route finds in hono's context: its request's own, made by `serve`. */
export interface HttpEnv {
  Bindings: { call: CallContext }
  Variables: { call: CallContext }
}

/** Hands on the context of a request, and notes which route answered it. */
export const requestContext: MiddlewareHandler<HttpEnv> = async (c, next) => {
  const { call } = c.env
  c.set('call', call)
  await next()
  call.facts.route ??= c.req.routePath
}
