import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Loopback, onLoopback } from './loopback.ts'
import {
  directStreams,
  newStreams,
  type StreamMood,
  type Streams,
  serveStream,
} from './scripted-streams.ts'
import { BEHAVIOURS, TOOLS } from './scripted-tools.ts'

/**
 * An upstream that does exactly what a test asks, down to the bytes: its tools are behaviours. It
 * speaks both eras (sessions in the legacy one) by hand, since no SDK would misbehave like this.
 * `/modern` and `/dual` are its endpoints. A segment behind them names a room with a log, sessions
 * and moods of its own, so that suites do not meet; the same segment stands behind `/log`, which
 * gives and empties what arrived, and `/control`, which changes its mind. GET opens streams within
 * a legacy session.
 */
export type ScriptedServer = Loopback

interface Recorded {
  readonly httpMethod: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** What `GET /log` answers. */
export interface ScriptedLog {
  readonly log: readonly (Recorded & { readonly headers: Readonly<Record<string, string>> })[]
  /** Tools whose answer the caller's disconnect ended. */
  readonly closed: readonly string[]
  /** What was written by then for each of those, in bytes. */
  readonly written: readonly (readonly [tool: string, bytes: number])[]
  /** How many streams are open. */
  readonly streams: number
}

/** What `POST /control` takes. */
export interface Mood extends StreamMood {
  /** Forgets every session; later ones that are unknown are refused like this. */
  readonly forgetStatus?: 404 | 400
  /** Breaks this many requests off before any answer. */
  readonly failNext?: number
  /** Lets every `drip`, `drip_json` and `held` that waits go on. */
  readonly release?: true
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: { readonly name?: string; readonly arguments?: Record<string, unknown> }
}

interface Room {
  /** Legacy sessions that are alive. */
  readonly sessions: Set<string>
  /** How an unknown session is refused. */
  forgetStatus: 404 | 400
  failNext: number
  log: Recorded[]
  closed: string[]
  written: [tool: string, bytes: number][]
  waiting: (() => void)[]
  readonly streams: Streams
  nextSession: number
}

/** Starts it on a free port of loopback. */
export async function startScriptedServer(): Promise<ScriptedServer> {
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
  const path = request.url ?? '/'
  const [endpoint, name = ''] = path.slice(1).split('/')
  const room = roomNamed(rooms, name)
  if (endpoint === 'log') return sendLog(room, response)
  if (endpoint === 'control') return control(room, JSON.parse(body) as Mood, response)
  const { method = '', headers } = request
  room.log.push({ httpMethod: method, path, headers, body })
  if (room.failNext > 0) {
    room.failNext -= 1
    response.destroy()
    return
  }
  const session = headers['mcp-session-id']
  if (method === 'DELETE') {
    room.sessions.delete(String(session))
    response.writeHead(204).end()
    return
  }
  if (method === 'GET' && endpoint === 'dual') {
    if (room.sessions.has(String(session))) serveStream(room.streams, headers, response)
    else refuseSession(room, response)
    return
  }
  if (method !== 'POST') {
    response.writeHead(405).end()
    return
  }
  const message = JSON.parse(body) as Message
  if (headers['mcp-method'] !== undefined) return answer(room, message, response, true)
  if (endpoint === 'modern') return refuseLegacy(message, response)
  legacy(room, message, session, response)
}

function legacy(
  room: Room,
  message: Message,
  session: string | string[] | undefined,
  response: ServerResponse,
): void {
  if (message.method === 'initialize') {
    const id = `upstream-${room.nextSession}`
    room.nextSession += 1
    room.sessions.add(id)
    response.setHeader('mcp-session-id', id)
    answer(room, message, response, false)
    return
  }
  if (room.sessions.has(String(session))) {
    answer(room, message, response, false)
    return
  }
  refuseSession(room, response)
}

function refuseSession(room: Room, response: ServerResponse): void {
  const error = { code: -32001, message: 'Session not found' }
  sendJson(response, { jsonrpc: '2.0', id: null, error }, room.forgetStatus)
}

function answer(room: Room, message: Message, response: ServerResponse, isModern: boolean): void {
  if (message.id === undefined) {
    response.writeHead(202).end()
    return
  }
  const base = isModern ? { resultType: 'complete', ttlMs: 0, cacheScope: 'public' } : {}
  const reply = (result: object): void =>
    sendJson(response, { result: { ...base, ...result }, jsonrpc: '2.0', id: message.id })
  switch (message.method) {
    case 'server/discover':
      reply({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} } })
      return
    case 'initialize':
      reply({
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'scripted', version: '1' },
      })
      return
    case 'tools/list':
      reply({ tools: TOOLS })
      return
    case 'tools/call':
      call(room, message, response, reply)
      return
    default:
      sendJson(
        response,
        { jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } },
        isModern ? 404 : 200,
      )
  }
}

function call(
  room: Room,
  message: Message,
  response: ServerResponse,
  reply: (result: object) => void,
): void {
  const name = message.params?.name ?? ''
  const args = message.params?.arguments ?? {}
  const behave = Object.hasOwn(BEHAVIOURS, name) ? BEHAVIOURS[name] : undefined
  if (!behave) {
    reply({ content: [{ type: 'text', text: JSON.stringify(args) }] })
    return
  }
  const { socket } = response
  const before = socket?.bytesWritten ?? 0
  response.on('close', () => {
    if (response.writableFinished) return
    room.closed.push(name)
    room.written.push([name, (socket?.bytesWritten ?? 0) - before])
  })
  const released = () => new Promise<void>((resolve) => room.waiting.push(resolve))
  const park = (eventId: string, rest: string) => void room.streams.parked.set(eventId, rest)
  behave({ id: JSON.stringify(message.id), args, response, reply, released, park })
}

function refuseLegacy(message: Message, response: ServerResponse): void {
  const data = { supported: ['2026-07-28'], requested: '2025-11-25' }
  const error = { code: -32022, message: 'Unsupported protocol version', data }
  sendJson(response, { jsonrpc: '2.0', id: message.id ?? null, error }, 400)
}

function roomNamed(rooms: Map<string, Room>, name: string): Room {
  const room = rooms.get(name) ?? {
    sessions: new Set(),
    forgetStatus: 404,
    failNext: 0,
    log: [],
    closed: [],
    written: [],
    waiting: [],
    streams: newStreams(),
    nextSession: 1,
  }
  rooms.set(name, room)
  return room
}

function sendLog(room: Room, response: ServerResponse): void {
  const { log, closed, written } = room
  sendJson(response, { log, closed, written, streams: room.streams.open.length })
  room.log = []
  room.closed = []
  room.written = []
}

function control(room: Room, mood: Mood, response: ServerResponse): void {
  if (mood.forgetStatus) {
    room.sessions.clear()
    room.forgetStatus = mood.forgetStatus
  }
  directStreams(room.streams, mood)
  if (mood.failNext) room.failNext = mood.failNext
  if (mood.release) {
    for (const go of room.waiting) go()
    room.waiting = []
  }
  response.writeHead(204).end()
}

function sendJson(response: ServerResponse, value: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}
