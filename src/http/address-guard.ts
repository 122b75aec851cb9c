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

/** Whether the address that sends a request may send more. */
export type AllowAddress = (headers: Headers) => boolean | Promise<boolean>

/**
 * For an address that sends too much, before a request has an id, an event line or a credential that
 * anyone looks at: a flood costs one look at a counter, and an answer that is always the same.
 */
export function addressRefusal(): Response {
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
