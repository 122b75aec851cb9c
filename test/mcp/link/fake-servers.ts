import type { OutboundFault, OutboundRequest, OutboundResult } from '../../../src/core/index.ts'
import { createLink } from '../../../src/mcp/link/link.ts'
import type { LinkRequest, LinkTransport } from '../../../src/mcp/link/link-request.ts'
import { createPromise } from './promise.ts'

/** What the server got: a JSON-RPC message. */
export interface Got {
  readonly id?: unknown
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: unknown
  readonly error?: { readonly code: number }
}

/** One connection as the server sees it. */
export interface ServerSide {
  readonly got: Got[]
  send(message: object | string): void
  /** Ends it from its side. */
  end(): void
  isClosed(): boolean
}

export interface FakeServer {
  readonly connections: ServerSide[]
  readonly requests: OutboundRequest[]
  /** What it does with a message, unless it answers as it should. */
  onMessage: ((got: Got, side: ServerSide) => boolean) | undefined
  /** Answers the next request to connect in another way. */
  connectBy: (() => OutboundResult) | undefined
  /** Answers messages of HTTP+SSE in another way. */
  acceptBy: (() => OutboundResult) | undefined
  endpoint: string | undefined
}

export const reply =
  (status: number, body: string | null = null, type = 'text/plain') =>
  () =>
    ({
      kind: 'response',
      response: new Response(body, { status, headers: { 'content-type': type } }),
    }) satisfies OutboundResult
export const fault = (kind: OutboundFault) => (): OutboundResult => ({
  kind: 'fault',
  fault: kind,
  message: '',
})

/** Why a link could not ask its server, as it tells the gateway. */
export const faultOf = (response: Response) => response.headers.get('x-gatehouse-fault')
/** The message of an event. */
export const data = (event: string | undefined) => JSON.parse(event?.split('data: ')[1] ?? '{}')
/** The methods of what a server got, in order. */
export const methods = (got: readonly Got[] = []) => got.flatMap(({ method }) => method ?? [])

const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'fake' } }

/** Answers the handshake, pings and whatever else has an id. */
function answer(server: FakeServer, side: ServerSide, text: string): void {
  const got = JSON.parse(text) as Got
  side.got.push(got)
  if (server.onMessage?.(got, side) || got.id === undefined || got.method === undefined) return
  const result = got.method === 'initialize' ? HELLO : { method: got.method }
  side.send({ jsonrpc: '2.0', id: got.id, result })
}

/** A link over a server that speaks the transport, with a clock that stands still. */
export function linkTo(transport: LinkTransport) {
  const time = { now: 1_000_000 }
  const server: FakeServer = {
    connections: [],
    requests: [],
    onMessage: undefined,
    connectBy: undefined,
    acceptBy: undefined,
    endpoint: '/messages?n=',
  }
  const outbound = {
    async send(request: OutboundRequest): Promise<OutboundResult> {
      server.requests.push(request)
      if (request.method === 'POST') return acceptPost(server, request)
      const by = server.connectBy
      if (by) return by()
      return transport === 'sse' ? openStream(server, request) : openSocket(server)
    },
  }
  const link = createLink({
    outbound,
    clock: { now: () => time.now },
    random: { uuid: () => crypto.randomUUID(), fraction: () => 1 },
    waitUntil: (work) => void work.catch(() => undefined),
  })
  let ids = 0

  function send(method: LinkRequest['method'], more: Partial<LinkRequest> & { body?: string }) {
    return link.handle({
      method,
      transport,
      url: transport === 'sse' ? 'https://up.example/sse' : 'wss://up.example/ws',
      timeoutMs: 500,
      headers: new Headers({ 'x-key': 'one' }),
      sessionId: undefined,
      body: '',
      signal: new AbortController().signal,
      ...more,
    })
  }
  const post = (message: object, sessionId?: string, more: Partial<LinkRequest> = {}) =>
    send('POST', { ...more, sessionId, body: JSON.stringify({ jsonrpc: '2.0', ...message }) })
  const request = (
    method: string,
    params: object,
    sessionId?: string,
    more?: Partial<LinkRequest>,
  ) => {
    ids += 1
    return post({ id: `r${ids}`, method, params }, sessionId, more)
  }
  const initialize = (
    capabilities: object = {},
    version = '2025-11-25',
    more?: Partial<LinkRequest>,
  ) =>
    request(
      'initialize',
      { protocolVersion: version, capabilities, clientInfo: { name: 'c', version: '1' } },
      undefined,
      more,
    )
  /** Opens a session as a client does, and gives its id. */
  async function open(capabilities: object = {}, version?: string): Promise<string> {
    const response = await initialize(capabilities, version)
    await response.text()
    const id = response.headers.get('mcp-session-id')
    if (id === null) throw new Error(`no session: HTTP ${response.status}`)
    await post({ method: 'notifications/initialized' }, id)
    return id
  }
  return { link, server, time, send, post, request, initialize, open }
}

function openStream(server: FakeServer, request: OutboundRequest): OutboundResult {
  const encoder = new TextEncoder()
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const closed = createPromise()
  const write = (text: string): void => {
    writer.write(encoder.encode(text)).catch(closed.settle)
  }
  const end = (): void => {
    closed.settle()
    writer.close().catch(() => undefined)
  }
  const side: ServerSide = {
    got: [],
    send: (message) => {
      const text = typeof message === 'string' ? message : JSON.stringify(message)
      write(`event: message\ndata: ${text}\n\n`)
    },
    end,
    isClosed: closed.isSettled,
  }
  request.signal?.addEventListener('abort', () => {
    closed.settle()
    writer.abort(new Error('aborted')).catch(() => undefined)
  })
  const index = server.connections.push(side) - 1
  if (server.endpoint !== undefined) {
    const endpoint = server.endpoint.endsWith('=') ? `${server.endpoint}${index}` : server.endpoint
    write(`event: endpoint\ndata: ${endpoint}\n\n`)
  }
  const headers = { 'content-type': 'text/event-stream' }
  return { kind: 'response', response: new Response(readable, { headers }) }
}

function acceptPost(server: FakeServer, { url, body = '' }: OutboundRequest): OutboundResult {
  if (server.acceptBy) return server.acceptBy()
  const side = server.connections[Number(new URL(url).searchParams.get('n'))]
  if (!side) return reply(404)()
  answer(server, side, body)
  return reply(202)()
}

function openSocket(server: FakeServer): OutboundResult {
  const { 0: client, 1: socket } = new WebSocketPair()
  const closed = createPromise()
  socket.accept()
  const side: ServerSide = {
    got: [],
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    end: () => socket.close(),
    isClosed: closed.isSettled,
  }
  socket.addEventListener('close', closed.settle)
  socket.addEventListener('message', ({ data }) => answer(server, side, String(data)))
  server.connections.push(side)
  return { kind: 'response', response: new Response(null, { status: 101, webSocket: client }) }
}
