import type { CallContext, Deadline } from '../../core/index.ts'
import { cutOff } from '../../resilience/index.ts'

/** The response, whose body breaks off when the signal is aborted, whoever sends it to us. */
export function cutResponse(response: Response, signal: AbortSignal): Response {
  const { body, status, headers } = response
  return body ? new Response(cutOff(body, signal), { status, headers }) : response
}

/**
 * The response to what was sent without a signal, for who reads it in parts: its body breaks off when
 * the caller leaves. Any other as it is.
 */
export function whileHeard(
  ctx: CallContext,
  response: Response,
  bodyDeadline: Deadline | undefined,
): Response {
  return bodyDeadline?.hears() ? cutResponse(response, ctx.caller.signal) : response
}
