import type { ServerRecord, UpstreamAddress } from '../../registry/index.ts'
import { COURTESY_MS } from './courtesy.ts'
import { hopTwoHeaders } from './headers.ts'
import type { UpstreamOutbound } from './transports.ts'

/** Whether a server takes a log level at all. */
export function hasLogging({ upstream }: Pick<ServerRecord, 'upstream'>): boolean {
  return upstream.capabilities?.['logging'] !== undefined
}

/**
 * Sets the level of log messages in a legacy session; a server that refuses sends what it sends.
 * Waits at most 5 s.
 */
export async function setLogLevel(
  outbound: UpstreamOutbound,
  { headers: custom, timeoutMs, ...where }: UpstreamAddress,
  { upstreamId, version }: { readonly upstreamId: string; readonly version: string },
  level: string,
  signal?: AbortSignal,
): Promise<void> {
  const result = await outbound.send({
    ...where,
    method: 'POST',
    headers: hopTwoHeaders({ custom, version, sessionId: upstreamId }),
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'gatehouse-log-level',
      method: 'logging/setLevel',
      params: { level },
    }),
    timeoutMs: Math.min(timeoutMs, COURTESY_MS),
    ...(signal ? { signal } : {}),
  })
  if (result.kind === 'response') await result.response.body?.cancel()
}
