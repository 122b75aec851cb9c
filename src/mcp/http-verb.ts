import type { CallContext, Principal } from '../core/index.ts'

/** One HTTP method of an endpoint, for an authenticated caller; `path` is the endpoint's. */
export type HttpVerb = (
  ctx: CallContext,
  principal: Principal,
  path: string,
  request: Request,
) => Promise<Response>
