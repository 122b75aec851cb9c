import type { Outbound } from '../../core/index.ts'
import type { UpstreamAddress } from '../../registry/index.ts'
import { hopTwoHeaders } from './headers.ts'

/** Sets the level of log messages in a legacy session; a server that refuses sends what it sends. */
export async function setLogLevel(
  outbound: Outbound,
  { url, headers: custom, timeoutMs }: UpstreamAddress,
  { upstreamId, version }: { readonly upstreamId: string; readonly version: string },
  level: string,
): Promise<void> {
  const result = await outbound.send({
    url,
    method: 'POST',
    headers: hopTwoHeaders({ custom, version, sessionId: upstreamId }),
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'gatehouse-log-level',
      method: 'logging/setLevel',
      params: { level },
    }),
    timeoutMs,
  })
  if (result.kind === 'response') await result.response.body?.cancel()
}
