import type { Outbound } from '../../core/index.ts'
import { httpUrlOf } from '../../registry/index.ts'
import {
  type Connection,
  type ConnectionTarget,
  MAX_LINK_MESSAGE_BYTES,
  type Opened,
} from './connection.ts'

/** The subprotocol of the SDK's WebSocket transports. */
const SUBPROTOCOL = 'mcp'
/** RFC 6455 section 7.4.1: a message too big, and one of the wrong kind. */
const TOO_BIG = 1009

/**
 * WebSocket: each message is a text frame, in either direction. Opened as Workers do, by a request
 * over HTTP, so that every rule for requests holds.
 */
export async function openSocketConnection(
  outbound: Pick<Outbound, 'send'>,
  target: ConnectionTarget,
  onMessage: (text: string) => void,
): Promise<Opened> {
  const result = await outbound.send({
    url: httpUrlOf(target.url),
    method: 'GET',
    headers: upgradeHeaders(target.headers),
    timeoutMs: target.timeoutMs,
    signal: target.signal,
  })
  if (result.kind === 'fault') return { kind: 'fault', fault: result.fault }
  const { response } = result
  const { webSocket } = response
  const spoken = response.headers.get('sec-websocket-protocol')
  // A server that names no subprotocol speaks what was asked for; one that names another does not.
  if (!webSocket || (spoken !== null && spoken !== SUBPROTOCOL)) {
    webSocket?.accept()
    webSocket?.close()
    await response.body?.cancel()
    const status = response.status >= 400 ? response.status : 502
    return { kind: 'refused', response: new Response(null, { status }) }
  }
  return { kind: 'open', connection: connectionOver(webSocket, onMessage) }
}

function connectionOver(socket: WebSocket, onMessage: (text: string) => void): Connection {
  let isOpen = true
  let settle: () => void = () => undefined
  const closed = new Promise<void>((resolve) => {
    settle = resolve
  })
  const over = (): void => {
    isOpen = false
    settle()
  }
  const close = (code?: number): void => {
    if (!isOpen) return
    over()
    socket.close(code)
  }
  socket.addEventListener('message', ({ data }) => {
    if (!isOpen) return
    // Nothing that is no text can be a message; it counts as garbage.
    const text = typeof data === 'string' ? data : ''
    if (text.length > MAX_LINK_MESSAGE_BYTES) close(TOO_BIG)
    else onMessage(text)
  })
  socket.addEventListener('close', () => close())
  socket.addEventListener('error', over)
  socket.accept()
  return {
    closed,
    close: () => close(1000),
    async send(text) {
      if (!isOpen) return { kind: 'fault', fault: 'network' }
      try {
        socket.send(text)
        return { kind: 'sent' }
      } catch {
        // The other side has gone, which its close event will tell as well.
        over()
        return { kind: 'fault', fault: 'network' }
      }
    },
  }
}

function upgradeHeaders(given: Headers): Headers {
  const headers = new Headers(given)
  for (const name of ['accept', 'content-type', 'mcp-protocol-version']) headers.delete(name)
  headers.set('upgrade', 'websocket')
  headers.set('sec-websocket-protocol', SUBPROTOCOL)
  return headers
}
