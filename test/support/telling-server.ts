import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Loopback, onLoopback } from './loopback.ts'

/**
 * An upstream that tells of its changes when a test says so. `/modern`, `/legacy`, `/dual` (both,
 * and listens in the modern era) and `/mute` (legacy, without a stream) are its endpoints; a segment
 * behind them names a room with things of its own. `/control/{room}` changes them and tells,
 * `/state/{room}` gives what is held open.
 */
export type TellingServer = Loopback

/** What `GET /state` answers. */
export interface TellingState {
  /** Listen requests that are open, each with what it asked for. */
  readonly listens: readonly Record<string, unknown>[]
  /** GET streams that are open. */
  readonly streams: number
  readonly sessions: number
  /** URIs subscribed to in legacy sessions, each as often as it is. */
  readonly subscribed: readonly string[]
  /** How often each JSON-RPC method has arrived. */
  readonly methods: Readonly<Record<string, number>>
}

/** What `POST /control` takes. */
export interface TellingMood {
  readonly tools?: readonly string[]
  /** Methods of notifications to be sent to whoever listens, in this order. */
  readonly tell?: readonly { readonly method: string; readonly params?: object }[]
  /** Ends every stream. */
  readonly hangUp?: true
  /** What a listen request is honoured for at most; default is all. */
  readonly honours?: Record<string, unknown>
}

interface Listen {
  readonly id: unknown
  readonly asked: Record<string, unknown>
  readonly response: ServerResponse
}

interface Room {
  tools: readonly string[]
  honours: Record<string, unknown> | undefined
  listens: Listen[]
  streams: ServerResponse[]
  readonly sessions: Map<string, Set<string>>
  readonly methods: Record<string, number>
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: {
    readonly uri?: string
    readonly name?: string
    readonly notifications?: Record<string, unknown>
    readonly _meta?: Record<string, unknown>
  }
}

const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
}

/** Starts it on a free port of loopback. */
export async function startTellingServer(): Promise<TellingServer> {
  const rooms = new Map<string, Room>()
  const server = createServer((request, response) => {
    void serve(rooms, request, response)
  })
  return onLoopback(server)
}

async function serve(
  rooms: Map<string, Room>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await text(request)
  const [kind = '', name = ''] = (request.url ?? '/').slice(1).split('/')
  const room = rooms.get(name) ?? newRoom()
  rooms.set(name, room)
  if (kind === 'state') return sendJson(response, stateOf(room))
  if (kind === 'control') return control(room, JSON.parse(body) as TellingMood, response)
  const session = String(request.headers['mcp-session-id'] ?? '')
  if (request.method === 'DELETE') {
    room.sessions.delete(session)
    return void response.writeHead(204).end()
  }
  if (request.method === 'GET') {
    if (kind === 'mute' || kind === 'modern') return void response.writeHead(405).end()
    if (!room.sessions.has(session)) return void response.writeHead(404).end()
    return openStream(room, response)
  }
  const message = JSON.parse(body) as Message
  const method = message.method ?? ''
  room.methods[method] = (room.methods[method] ?? 0) + 1
  const isModern = request.headers['mcp-method'] !== undefined
  if (isModern ? kind === 'legacy' || kind === 'mute' : kind === 'modern') {
    const data = { supported: ['2026-07-28'], requested: '2025-11-25' }
    const error = isModern
      ? { code: -32600, message: 'Bad Request' }
      : { code: -32022, message: 'Unsupported protocol version', data }
    return sendJson(response, { jsonrpc: '2.0', id: message.id ?? null, error }, 400)
  }
  if (message.id === undefined) return void response.writeHead(202).end()
  if (isModern) modern(room, message, response)
  else legacy(room, message, session, response)
}

function modern(room: Room, message: Message, response: ServerResponse): void {
  const { id, method, params } = message
  if (method === 'subscriptions/listen') {
    const asked = params?.notifications ?? {}
    const declared = JSON.stringify(params?._meta ?? {}).includes('io.modelcontextprotocol/tasks')
    if (room.honours?.['taskIds'] === 'refused' && asked['taskIds'] !== undefined) {
      const error = { code: -32602, message: 'Unknown task' }
      sendJson(response, { jsonrpc: '2.0', id, error }, 400)
      return
    }
    const honoured = Object.fromEntries(
      Object.entries(asked).filter(
        ([name]) => room.honours?.[name] !== false && (name !== 'taskIds' || declared),
      ),
    )
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const listen = { id, asked, response }
    room.listens.push(listen)
    response.on('close', () => {
      room.listens = room.listens.filter((one) => one !== listen)
    })
    send(listen, 'notifications/subscriptions/acknowledged', { notifications: honoured })
    return
  }
  const base = { resultType: 'complete', ttlMs: 0, cacheScope: 'public' }
  const result = resultOf(room, message)
  if (method === 'server/discover') {
    const capabilities = { ...CAPABILITIES, extensions: { 'io.modelcontextprotocol/tasks': {} } }
    const hello = { supportedVersions: ['2026-07-28'], capabilities }
    sendJson(response, { jsonrpc: '2.0', id, result: { ...base, ...hello } })
  } else if (result) sendJson(response, { jsonrpc: '2.0', id, result: { ...base, ...result } })
  else unknownMethod(message, response, 404)
}

function legacy(room: Room, message: Message, session: string, response: ServerResponse): void {
  const { id, method, params } = message
  if (method === 'initialize') {
    const key = crypto.randomUUID()
    room.sessions.set(key, new Set())
    response.setHeader('mcp-session-id', key)
    const serverInfo = { name: 'telling', version: '1' }
    const hello = { protocolVersion: '2025-11-25', capabilities: CAPABILITIES, serverInfo }
    sendJson(response, { jsonrpc: '2.0', id, result: hello })
    return
  }
  const uris = room.sessions.get(session)
  if (!uris) return void response.writeHead(404).end()
  if (method === 'resources/subscribe') uris.add(params?.uri ?? '')
  if (method === 'resources/unsubscribe') uris.delete(params?.uri ?? '')
  const isEmpty = method?.startsWith('resources/') && method.endsWith('subscribe')
  const result = isEmpty ? {} : resultOf(room, message)
  if (result) sendJson(response, { jsonrpc: '2.0', id, result })
  else unknownMethod(message, response, 200)
}

function resultOf(room: Room, { method, params }: Message): object | undefined {
  switch (method) {
    case 'tools/list':
      return { tools: room.tools.map((name) => ({ name, inputSchema: { type: 'object' } })) }
    case 'tools/call':
      // In the modern era it becomes a task, whose id its arguments cannot choose.
      if (params?.name?.startsWith('task')) {
        return { resultType: 'task', taskId: `own-${params.name}`, status: 'working', ttlMs: null }
      }
      return { content: [{ type: 'text', text: 'done' }] }
    case 'prompts/list':
      return { prompts: [] }
    case 'resources/list':
      return { resources: [{ uri: 'memo:1', name: 'one' }] }
    case 'resources/templates/list':
      return { resourceTemplates: [] }
    default:
      return undefined
  }
}

function control(room: Room, mood: TellingMood, response: ServerResponse): void {
  if (mood.tools) room.tools = mood.tools
  if (mood.honours) room.honours = mood.honours
  for (const { method, params = {} } of mood.tell ?? []) {
    for (const listen of room.listens)
      if (wants(listen, method, params)) send(listen, method, params)
    for (const stream of room.streams) write(stream, { jsonrpc: '2.0', method, params })
  }
  if (mood.hangUp) {
    for (const { response: one } of room.listens) one.end()
    for (const one of room.streams) one.end()
  }
  response.writeHead(204).end()
}

const ASKS: Readonly<Record<string, string>> = {
  'notifications/tools/list_changed': 'toolsListChanged',
  'notifications/prompts/list_changed': 'promptsListChanged',
  'notifications/resources/list_changed': 'resourcesListChanged',
}

function wants(
  { asked }: Listen,
  method: string,
  params: { readonly uri?: string; readonly taskId?: string },
): boolean {
  if (method === 'notifications/tasks') {
    const ids = asked['taskIds']
    return Array.isArray(ids) && ids.includes(params.taskId)
  }
  if (method !== 'notifications/resources/updated') return asked[ASKS[method] ?? ''] === true
  const uris = asked['resourceSubscriptions']
  return Array.isArray(uris) && uris.some((uri) => params.uri?.startsWith(uri))
}

function send({ id, response }: Listen, method: string, params: object): void {
  const _meta = { 'io.modelcontextprotocol/subscriptionId': id }
  write(response, { jsonrpc: '2.0', method, params: { ...params, _meta } })
}

function write(response: ServerResponse, message: object): void {
  response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
}

function openStream(room: Room, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  room.streams.push(response)
  response.on('close', () => {
    room.streams = room.streams.filter((one) => one !== response)
  })
}

function newRoom(): Room {
  return {
    tools: ['first'],
    honours: undefined,
    listens: [],
    streams: [],
    sessions: new Map(),
    methods: {},
  }
}

function stateOf({ listens, streams, sessions, methods }: Room): TellingState {
  return {
    listens: listens.map(({ asked }) => asked),
    streams: streams.length,
    sessions: sessions.size,
    subscribed: [...sessions.values()].flatMap((uris) => [...uris]).sort(),
    methods,
  }
}

function unknownMethod({ id }: Message, response: ServerResponse, status: number): void {
  const error = { code: -32601, message: 'Method not found' }
  sendJson(response, { jsonrpc: '2.0', id, error }, status)
}

function sendJson(response: ServerResponse, value: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}
