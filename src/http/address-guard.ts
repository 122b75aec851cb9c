import type { MiddlewareHandler } from 'hono'
import type { HttpEnv } from './request-context.ts'

/** A sliding minute: by then a part of it is free again. */
const RETRY_AFTER_SECONDS = 10

const BODY = JSON.stringify({
  type: 'urn:gatehouse:error:rate_limited',
  title: 'Too many requests',
  status: 429,
  code: 'rate_limited',
  detail: 'Too many requests come from your address.',
  fix: 'Wait for Retry-After seconds.',
})

/**
 * Refuses addresses that send too much, before a request has an id, an event line or a credential
 * that anyone looks at: a flood costs one look at a counter, and an answer that is always the same.
 */
export function addressGuard(
  allows: (headers: Headers) => boolean | Promise<boolean>,
): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const isAllowed = allows(c.req.raw.headers)
    if (typeof isAllowed === 'boolean' ? isAllowed : await isAllowed) return next()
    return new Response(BODY, {
      status: 429,
      headers: {
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        'retry-after': String(RETRY_AFTER_SECONDS),
        'x-content-type-options': 'nosniff',
      },
    })
  }
}
