import { GatewayError } from '../core/index.ts'
import { writtenProblem } from './problem.ts'

/** A sliding minute: by then a part of it is free again. */
const RETRY_AFTER_SECONDS = 10

/** Without a `requestId`: nothing of a request was looked at that could have one. */
const REFUSAL = writtenProblem(
  new GatewayError('rate_limited', 'Too many requests come from your address.', {
    headers: {
      'retry-after': String(RETRY_AFTER_SECONDS),
      'x-content-type-options': 'nosniff',
    },
  }),
)

/** Whether the sender of these headers may send more: asked before anything else is looked at. */
export type AllowAddress = (headers: Headers) => boolean | Promise<boolean>

/**
 * For an address that sends too much, before a request has an id, an event line or a credential that
 * anyone looks at: a flood costs one look at a counter, and an answer that is always the same.
 */
export function addressRefusal(): Response {
  return new Response(REFUSAL.text, REFUSAL.init)
}
