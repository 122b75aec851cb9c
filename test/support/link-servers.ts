import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type * as Ws from 'ws'
import { createFleet, type Fleet } from './fleet.ts'
import { misbehaveOnSocket, misbehaveOnStream } from './link-moods.ts'
import { type LinkRoom, newRoom, serverOf } from './link-room.ts'
import { onLoopback } from './loopback.ts'

// Vitest would resolve the import for workerd, where there is no server.
const { WebSocketServer } = createRequire(import.meta.url)('ws') as typeof Ws

/**
 * The same server over each transport, and some that misbehave. `/mcp/{room}`, `/sse/{room}` and
 * `/ws/{room}` are its endpoints; `/log/{room}` tells what happened, `/control/{room}` makes things
 * happen; `/switch/{room}` changes from Streamable HTTP to HTTP+SSE when told, `/flip/{room}` its era; `/odd-sse/{mood}` and `/odd-ws/{mood}` do what no honest server does.
 */
export interface LinkServers {
  readonly origin: string
  stop(): Promise<void>
}

/** What `GET /log/{room}` answers. */
export interface LinkLog {
  readonly open: number
  readonly opened: number
  readonly calls: readonly string[]
  readonly cancelled: readonly string[]
  readonly levels: readonly string[]
  readonly subscribed: readonly string[]
}

/** What `POST /control/{room}` takes. */
export type LinkControl = 'become-sse' | 'flip' | 'break' | 'tools-changed' | 'updated' | 'release'

interface Sites {
  readonly rooms: Map<string, LinkRoom>
  readonly streams: Map<string, SSEServerTransport>
  readonly sessions: Map<string, StreamableHTTPServerTransport>
  /** Ends what is open in a room. */
  readonly enders: Map<string, Set<() => void>>
  readonly fleet: Fleet
}

type V1Transport = Parameters<ReturnType<typeof serverOf>['connect']>[0]

/** Starts them on a free port of loopback, or on the port where they were before. */
export async function startLinkServers(port = 0): Promise<LinkServers> {
  const sites: Sites = {
    rooms: new Map(),
    streams: new Map(),
    sessions: new Map(),
    enders: new Map(),
    fleet: createFleet(
      [
        { name: 'legacy', era: 'legacy' },
        { name: 'modern', era: 'modern' },
      ],
      1,
    ),
  }
  sites.fleet.setMood(sites.fleet.members, 'up')
  const server = createServer((request, response) => {
    serve(sites, request, response).catch((thrown: unknown) => {
      response.writeHead(500).end(String(thrown))
    })
  })
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has('mcp') ? 'mcp' : false),
  })
  const plain = new WebSocketServer({ noServer: true, handleProtocols: () => 'other' })
  server.on('upgrade', (request, socket, head) => {
    const [, site, name = ''] = (request.url ?? '').split('/')
    const chosen = name === 'other-protocol' ? plain : sockets
    chosen.handleUpgrade(request, socket, head, (opened) => {
      if (site === 'odd-ws') misbehaveOnSocket(name, opened)
      else void serveSocket(sites, name, opened)
    })
  })
  const { origin, stop } = await onLoopback(server, port)
  return {
    origin,
    async stop() {
      for (const client of [...sockets.clients, ...plain.clients]) client.terminate()
      await stop()
    },
  }
}

async function serve(
  sites: Sites,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const [, site, name = ''] = url.pathname.split('/')
  const room = roomOf(sites, name)
  switch (site) {
    case 'log': {
      const { open, opened, calls, cancelled, levels, subscribed } = room
      const log: LinkLog = { open, opened, calls, cancelled, levels, subscribed }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(log))
      return
    }
    case 'control':
      control(sites, name, (await bodyOf(request)) as LinkControl)
      response.writeHead(204).end()
      return
    case 'sse':
      if (request.method !== 'GET') response.writeHead(405).end()
      else await serveStream(sites, name, response)
      return
    case 'switch':
      if (!room.isSse) await serveHttp(sites, name, request, response)
      else if (request.method === 'GET') await serveStream(sites, name, response)
      else response.writeHead(405).end()
      return
    case 'flip':
      await serveFlipping(sites, room.isModern ? 'modern' : 'legacy', request, response)
      return
    case 'messages': {
      const transport = sites.streams.get(url.searchParams.get('sessionId') ?? '')
      if (transport) await transport.handlePostMessage(request, response)
      else response.writeHead(404).end('Session not found')
      return
    }
    case 'mcp':
      await serveHttp(sites, name, request, response)
      return
    case 'odd-sse':
      await misbehaveOnStream(name, request, response)
      return
    default:
      response.writeHead(404).end()
  }
}

async function serveStream(sites: Sites, name: string, response: ServerResponse): Promise<void> {
  const room = roomOf(sites, name)
  const transport = new SSEServerTransport(`/messages/${name}`, response)
  const server = serverOf(room)
  sites.streams.set(transport.sessionId, transport)
  entered(
    sites,
    name,
    () => response.destroy(),
    response,
    () => {
      sites.streams.delete(transport.sessionId)
      room.servers.delete(server)
    },
  )
  await server.connect(transport as V1Transport)
}

async function serveSocket(sites: Sites, name: string, socket: Ws.WebSocket): Promise<void> {
  const room = roomOf(sites, name)
  const server = serverOf(room)
  entered(
    sites,
    name,
    () => socket.terminate(),
    socket,
    () => room.servers.delete(server),
  )
  await server.connect(socketTransport(socket))
}

async function serveHttp(
  sites: Sites,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const room = roomOf(sites, name)
  const id = request.headers['mcp-session-id']
  let transport = typeof id === 'string' ? sites.sessions.get(id) : undefined
  if (!transport && id !== undefined) {
    response.writeHead(404).end()
    return
  }
  if (!transport) {
    const server = serverOf(room)
    const created = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (sessionId) => {
        sites.sessions.set(sessionId, created)
        room.open += 1
        room.opened += 1
        const end = (): void => {
          if (sites.sessions.delete(sessionId)) room.open -= 1
          room.servers.delete(server)
          created.close().catch(() => undefined)
        }
        created.onclose = end
        endersOf(sites, name).add(end)
      },
    })
    await server.connect(created as V1Transport)
    transport = created
  }
  await transport.handleRequest(request, response)
}

async function serveFlipping(
  { fleet }: Sites,
  era: 'legacy' | 'modern',
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = 'GET' } = request
  const body = method === 'POST' ? { body: await bodyOf(request) } : {}
  const headers = new Headers(request.headers as Record<string, string>)
  const answer = await fleet.answer(era, new Request('http://flip/', { method, headers, ...body }))
  response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
}

/** Counts a connection in, and out when it is closed. */
function entered(
  sites: Sites,
  name: string,
  end: () => void,
  closing: { on(event: 'close', listener: () => void): unknown },
  onClosed: () => void,
): void {
  const room = roomOf(sites, name)
  room.open += 1
  room.opened += 1
  endersOf(sites, name).add(end)
  closing.on('close', () => {
    room.open -= 1
    endersOf(sites, name).delete(end)
    onClosed()
  })
}

function socketTransport(socket: Ws.WebSocket): Transport {
  const transport: Transport = {
    start: async () => undefined,
    send: async (message) => socket.send(JSON.stringify(message)),
    close: async () => socket.close(),
  }
  socket.on('message', (data) => transport.onmessage?.(JSON.parse(String(data))))
  socket.on('close', () => transport.onclose?.())
  return transport
}

function control(sites: Sites, name: string, wish: LinkControl): void {
  const room = roomOf(sites, name)
  if (wish === 'become-sse') room.isSse = true
  if (wish === 'flip') room.isModern = !room.isModern
  if (wish === 'break' || wish === 'become-sse') for (const end of [...endersOf(sites, name)]) end()
  if (wish === 'release') for (const go of room.release.splice(0)) go()
  for (const server of room.servers) {
    if (wish === 'tools-changed') server.sendToolListChanged().catch(() => undefined)
    if (wish === 'updated') {
      server.sendResourceUpdated({ uri: 'room://thing' }).catch(() => undefined)
    }
  }
}

function roomOf({ rooms }: Sites, name: string): LinkRoom {
  const room = rooms.get(name) ?? newRoom()
  rooms.set(name, room)
  return room
}

function endersOf({ enders }: Sites, name: string): Set<() => void> {
  const own = enders.get(name) ?? new Set()
  enders.set(name, own)
  return own
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
