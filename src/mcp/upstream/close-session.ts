import type { UpstreamAddress } from '../../registry/index.ts'
import { COURTESY_MS } from './courtesy.ts'
import { hopTwoHeaders } from './headers.ts'
import type { UpstreamOutbound } from './transports.ts'

/** Tells an upstream that a session is over; whether it listens is its own affair. Waits at most 5 s. */
export async function closeSession(
  outbound: UpstreamOutbound,
  { timeoutMs, headers: custom, ...where }: UpstreamAddress,
  sessionId: string,
): Promise<void> {
  const headers = hopTwoHeaders({ custom, sessionId })
  const result = await outbound.send({
    ...where,
    method: 'DELETE',
    headers,
    timeoutMs: Math.min(timeoutMs, COURTESY_MS),
  })
  if (result.kind === 'response') await result.response.body?.cancel()
}
