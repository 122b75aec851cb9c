import { mediaType } from '../../core/index.ts'
import { streamHeaders } from '../upstream/headers.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import { type Messages, openMessages } from '../wire/read-messages.ts'
import { MAX_BRIDGED_BYTES } from './bounds.ts'
import type { HeldCall } from './bridge-state.ts'

/** Where a stream of a legacy server is asked for. */
export interface StreamSource
  extends Pick<HeldCall, 'url' | 'endpoint' | 'transport' | 'sessionId' | 'version' | 'timeoutMs'> {
  readonly custom: readonly (readonly [name: string, value: string])[]
}

/**
 * What comes on the stream of a session, behind the event that was seen last where there was one;
 * undefined where the server gives none. Never rejects.
 */
export async function takeUp(
  outbound: UpstreamOutbound,
  { url, endpoint, transport, custom, sessionId, version, timeoutMs }: StreamSource,
  lastEventId?: string,
  signal?: AbortSignal,
): Promise<Messages | undefined> {
  try {
    const sent = await outbound.send({
      ...{ url, endpoint, transport, method: 'GET', timeoutMs },
      headers: streamHeaders({ custom, version, sessionId }, lastEventId),
      ...(signal ? { signal } : {}),
    })
    if (sent.kind === 'fault') return undefined
    const { response } = sent
    const type = response.headers.get('content-type')
    if (response.ok && response.body && mediaType(type) === 'text/event-stream') {
      return openMessages(response.body, type, MAX_BRIDGED_BYTES)
    }
    await response.body?.cancel()
    return undefined
  } catch {
    // Whoever waits for the rest is told that it did not come.
    return undefined
  }
}
