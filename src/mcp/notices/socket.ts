import { GatewayError, type Principal, sha256Hex } from '../../core/index.ts'
import type { EventsStub } from './notice.ts'

/** Open streams of one principal, of all isolates: more than any honest client has. The default. */
export const MAX_STREAMS_OF_PRINCIPAL = 100
/** Of one tenant, by default: below the 32,768 sockets of a Durable Object. */
export const MAX_STREAMS_OF_TENANT = 30_000
/** What a Worker shows its life by, answered while the object sleeps. */
export const PING = 'ping'
export const PONG = 'pong'
/** How often. */
export const PING_MS = 25_000

/**
 * Opens the socket of one subscriber at the tenant's object. Accepted; it closes when the object is
 * gone. Throws `rate_limited`.
 */
export async function openSocket(
  object: Pick<EventsStub, 'fetch'>,
  principal: Principal,
  subscriber: string,
): Promise<WebSocket> {
  const { status, webSocket } = await object.fetch(`http://events/${subscriber}`, {
    headers: {
      upgrade: 'websocket',
      // A tag has at most 256 characters, and a key names a person.
      'x-principal': (await sha256Hex(principal.key)).slice(0, 32),
    },
  })
  if (webSocket) {
    webSocket.accept()
    return webSocket
  }
  if (status !== 429) throw new Error(`the events object answered ${status}`)
  throw new GatewayError('rate_limited', 'There are as many streams open as there may be.', {
    fix: 'Close a stream that is not needed any more.',
    headers: { 'retry-after': RETRY_AFTER_SECONDS },
  })
}

/** A stream whose client has gone is noticed within so long. */
const RETRY_AFTER_SECONDS = '30'
