import type { Outbound } from '../../core/index.ts'
import type { UpstreamAddress } from '../../registry/index.ts'
import { COURTESY_MS } from './courtesy.ts'
import { hopTwoHeaders } from './headers.ts'

/** Tells an upstream that a session is over; whether it listens is its own affair. Waits at most 5 s. */
export async function closeSession(
  outbound: Outbound,
  { url, timeoutMs, headers: custom }: UpstreamAddress,
  sessionId: string,
): Promise<void> {
  const headers = hopTwoHeaders({ custom, sessionId })
  const result = await outbound.send({
    url,
    method: 'DELETE',
    headers,
    timeoutMs: Math.min(timeoutMs, COURTESY_MS),
  })
  if (result.kind === 'response') await result.response.body?.cancel()
}
