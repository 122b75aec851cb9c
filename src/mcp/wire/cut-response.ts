import { cutOff } from '../../resilience/index.ts'

/** The response, whose body breaks off when the signal is aborted, whoever sends it to us. */
export function cutResponse(response: Response, signal: AbortSignal): Response {
  const { body, status, headers } = response
  return body ? new Response(cutOff(body, signal), { status, headers }) : response
}
