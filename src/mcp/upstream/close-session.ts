import type { Outbound } from '../../core/index.ts'
import type { UpstreamAddress } from '../../registry/index.ts'
import { hopTwoHeaders } from './headers.ts'

/** Tells an upstream that a session is over; whether it listens is its own affair. */
export async function closeSession(
  outbound: Outbound,
  { url, timeoutMs, headers: custom }: UpstreamAddress,
  sessionId: string,
): Promise<void> {
  const headers = hopTwoHeaders({ custom, sessionId })
  const result = await outbound.send({ url, method: 'DELETE', headers, timeoutMs })
  if (result.kind === 'response') await result.response.body?.cancel()
}
