import { mediaType, type Outbound } from '../../core/index.ts'
import { isForeignType, readEvent } from '../wire/event-fields.ts'
import { createEventSplitter } from '../wire/event-splitter.ts'
import {
  type Connection,
  type ConnectionTarget,
  MAX_LINK_MESSAGE_BYTES,
  type Opened,
  type SendOptions,
  type Sent,
} from './connection.ts'

/** Before the `endpoint` event nothing else may be said, and little time may pass. */
const MAX_ENDPOINT_MS = 10_000

/**
 * HTTP+SSE: one stream of events, whose first names the URL for messages (MCP 2024-11-05,
 * Transports). That URL must be of the same origin, since it is sent the server's credentials.
 */
export async function openSseConnection(
  outbound: Pick<Outbound, 'send'>,
  target: ConnectionTarget,
  onMessage: (text: string) => void,
): Promise<Opened> {
  const life = new AbortController()
  const giveUp = (): void => life.abort()
  target.signal.addEventListener('abort', giveUp, { once: true })
  if (target.signal.aborted) giveUp()
  const stop = (): void => target.signal.removeEventListener('abort', giveUp)

  const result = await outbound.send({
    url: target.url,
    method: 'GET',
    headers: streamHeaders(target.headers),
    timeoutMs: target.timeoutMs,
    signal: life.signal,
  })
  if (result.kind === 'fault') {
    stop()
    return { kind: 'fault', fault: result.fault }
  }
  const { response } = result
  const isStream = mediaType(response.headers.get('content-type')) === 'text/event-stream'
  if (!response.ok || !response.body || !isStream) {
    stop()
    await response.body?.cancel()
    // A page instead of a stream: as little of this transport as an address that knows no GET.
    return { kind: 'refused', response: new Response(null, { status: refusalOf(response) }) }
  }

  let announce: (endpoint: string | undefined) => void = () => undefined
  const announced = new Promise<string | undefined>((resolve) => {
    announce = resolve
  })
  const reading = readEvents(response.body, (type, data) => {
    if (type === 'endpoint') announce(data.trim())
    else if (type === 'message') onMessage(data)
  })
  const closed = reading.then(() => announce(undefined))
  const timer = setTimeout(giveUp, Math.min(target.timeoutMs, MAX_ENDPOINT_MS))
  const endpoint = await announced
  clearTimeout(timer)
  stop()
  const messages = endpoint === undefined ? undefined : messagesUrl(target.url, endpoint)
  if (messages === undefined) {
    const fault =
      endpoint !== undefined ? 'refused_address' : life.signal.aborted ? 'timeout' : 'network'
    life.abort()
    return { kind: 'fault', fault }
  }
  const connection: Connection = {
    closed,
    close: () => life.abort(),
    send: (text, how) => post(outbound, messages, text, how),
  }
  return { kind: 'open', connection }
}

/** Undefined for another origin, and for what is no URL. */
function messagesUrl(base: string, endpoint: string): string | undefined {
  if (!URL.canParse(endpoint, base)) return undefined
  const url = new URL(endpoint, base)
  return url.origin === new URL(base).origin ? url.href : undefined
}

async function post(
  outbound: Pick<Outbound, 'send'>,
  url: string,
  body: string,
  { headers, timeoutMs, signal }: SendOptions,
): Promise<Sent> {
  const result = await outbound.send({
    ...{ url, method: 'POST', headers, body, timeoutMs },
    ...(signal ? { signal } : {}),
  })
  if (result.kind === 'fault') return { kind: 'fault', fault: result.fault }
  const { response } = result
  // 202 by the book; some say 200. Whatever stands in the body, the answer comes on the stream.
  if (!response.ok) return { kind: 'refused', response }
  await response.body?.cancel()
  return { kind: 'sent' }
}

/** Reads to the end, or until an event is larger than any message may be. Never rejects. */
async function readEvents(
  body: ReadableStream<Uint8Array>,
  onEvent: (type: string, data: string) => void,
): Promise<void> {
  const reader = body.getReader()
  const splitter = createEventSplitter(MAX_LINK_MESSAGE_BYTES)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      for (const piece of splitter.split(value)) {
        if (piece.kind !== 'event') {
          await reader.cancel()
          return
        }
        const fields = readEvent(piece.bytes)
        if (fields?.data !== undefined) onEvent(typeOf(fields.others), fields.data)
      }
    }
  } catch {
    // The connection was lost, or we closed it: either way it is over.
  }
}

function typeOf(others: readonly string[]): string {
  if (!isForeignType(others)) return 'message'
  return others.some((line) => /^event: ?endpoint$/.test(line)) ? 'endpoint' : 'other'
}

function refusalOf({ ok, status }: Response): number {
  return ok ? 405 : status
}

function streamHeaders(given: Headers): Headers {
  const headers = new Headers(given)
  headers.set('accept', 'text/event-stream')
  headers.delete('content-type')
  return headers
}
