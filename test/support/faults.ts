import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'

/** What a faulty proxy can do to the requests of its server. */
export const FAULT_KINDS = [
  'refuse',
  'hang',
  'reset',
  'drip',
  'storm',
  'garbage',
  'wrong_id',
  'era_flip',
  'latency',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** One request that reached the proxy. */
export interface Exchange {
  readonly response: ServerResponse
  /** What the server says; it has acted by then. */
  forward(flipped?: boolean): Promise<IncomingMessage>
  /** Settles when the fault is over. */
  readonly over: Promise<void>
  /** The answer to a request before this one, where there was one. */
  readonly previous: string | undefined
}

/** Those that act on a connection that was accepted; the server always got the request first. */
export type FaultAct = (exchange: Exchange) => Promise<void>

const LATENCY_MS = 400
const DRIP_BYTES = 24
const DRIP_MS = 10

/** What each kind does. `refuse` is done to the listener. */
export const FAULT_ACTS: Readonly<Record<Exclude<FaultKind, 'refuse'>, FaultAct>> = {
  /** The answer never comes; the connection is closed when the fault is over. */
  async hang({ forward, over, response }) {
    await discard(await forward())
    await over
    response.destroy()
  },

  /** Half of the answer, then a reset. */
  async reset({ forward, response }) {
    const reply = await forward()
    const body = await bodyOf(reply)
    const half = body.subarray(0, Math.floor(body.length / 2))
    response.writeHead(reply.statusCode ?? 200, headersOf(reply.headers))
    // Given to the socket before the socket is gone.
    await new Promise<void>((resolve) => response.write(half, () => resolve()))
    response.socket?.resetAndDestroy()
  },

  /** All of it, a few bytes at a time. */
  async drip({ forward, response }) {
    const reply = await forward()
    response.writeHead(reply.statusCode ?? 200, headersOf(reply.headers))
    for await (const chunk of reply) {
      const bytes = asBuffer(chunk)
      for (let at = 0; at < bytes.length && !response.destroyed; at += DRIP_BYTES) {
        response.write(bytes.subarray(at, at + DRIP_BYTES))
        await pause(DRIP_MS)
      }
    }
    response.end()
  },

  /** It acted, and says that it failed. */
  async storm({ forward, response }) {
    await discard(await forward())
    response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>Internal Server Error</h1>')
  },

  /** Under the content type of the real answer, what is neither JSON nor an event. */
  async garbage({ forward, response }) {
    const reply = await forward()
    await discard(reply)
    const type = reply.headers['content-type'] ?? 'application/json'
    response.writeHead(200, { 'content-type': type }).end('\u0000{{"jsonrpc": data: ]]\n\n')
  },

  /** The answer to the request before, of whomever that was, whole and with its id. */
  async wrong_id({ forward, response, previous }) {
    const reply = await forward()
    const body = (await bodyOf(reply)).toString()
    const isAnswer = reply.statusCode === 200 && body.includes('"id"')
    const wrong = previous ?? body.replace(/"id":("[^"]*"|\d+)/, '"id":"nobody-asked"')
    const headers = headersOf(reply.headers)
    if (isAnswer && previous !== undefined) headers['content-type'] = typeOf(previous)
    response.writeHead(reply.statusCode ?? 200, headers).end(isAnswer ? wrong : body)
  },

  /** Its address speaks the other era. */
  async era_flip({ forward, response }) {
    pass(await forward(true), response)
  },

  async latency({ forward, response }) {
    await pause(LATENCY_MS)
    pass(await forward(), response)
  },
}

/** Hands an answer through as it comes; `onText` gets all of it at the end. */
export function pass(
  reply: IncomingMessage,
  response: ServerResponse,
  onText?: (text: string) => void,
): void {
  response.writeHead(reply.statusCode ?? 200, headersOf(reply.headers))
  const chunks: Buffer[] = []
  if (onText) {
    reply.on('data', (chunk: Buffer) => chunks.push(chunk))
    reply.on('end', () => onText(Buffer.concat(chunks).toString()))
  }
  reply.on('error', () => response.destroy())
  reply.pipe(response)
}

const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'content-length']

function headersOf(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!HOP_BY_HOP.includes(name)) kept[name] = String(value)
  }
  return kept
}

function typeOf(body: string): string {
  return body.startsWith('{') ? 'application/json' : 'text/event-stream'
}

async function bodyOf(reply: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of reply) chunks.push(asBuffer(chunk))
  return Buffer.concat(chunks)
}

async function discard(reply: IncomingMessage): Promise<void> {
  await bodyOf(reply)
}

/** A message without an encoding reads as buffers. */
function asBuffer(chunk: unknown): Buffer {
  return chunk as Buffer
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
